/*
 * The netlink codec as one would write it in C: what test/bench/codec.ts is compared with.
 *
 *   codec-peer encode              one NEWLINK + NEWADDR + NEWROUTE batch
 *   codec-peer links|routes FILE   all messages of a dump; FILE has datagrams, each behind its length (32 bits)
 *
 * Prints nanoseconds for each of many repetitions, one a line. A datagram is first copied to where recv would have
 * put it, as the other contenders do.
 */
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES = 300, ENCODES = 20000 };

struct link {
  int32_t index, parent, parent_netnsid, master;
  uint32_t flags, mtu, tx_queue_length;
  uint16_t type, mode;
  uint8_t operstate, carrier;
  const char *name, *kind, *slave_kind;
  const uint8_t *mac;
};

struct route {
  uint8_t family, length, scope, protocol, type;
  uint32_t table, priority, oif, flags, mtu;
  const uint8_t *destination, *gateway, *source;
};

static char response[131072] __attribute__((aligned(16)));
static char request[4096] __attribute__((aligned(16)));
static volatile uint64_t sink;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* The sizes of payloads are checked as the plugin's codec checks them. */
static int wrong;

static uint32_t u32(const struct rtattr *it) {
  uint32_t value;
  wrong |= RTA_PAYLOAD(it) ^ sizeof value;
  memcpy(&value, RTA_DATA(it), sizeof value);
  return value;
}

static void read_data(struct link *link, struct rtattr *nest) {
  int rest = RTA_PAYLOAD(nest);
  for (struct rtattr *it = RTA_DATA(nest); RTA_OK(it, rest); it = RTA_NEXT(it, rest))
    if ((it->rta_type & NLA_TYPE_MASK) == IFLA_IPVLAN_MODE) memcpy(&link->mode, RTA_DATA(it), sizeof link->mode);
}

static void read_info(struct link *link, struct rtattr *nest) {
  int rest = RTA_PAYLOAD(nest);
  for (struct rtattr *it = RTA_DATA(nest); RTA_OK(it, rest); it = RTA_NEXT(it, rest)) switch (it->rta_type & NLA_TYPE_MASK) {
      case IFLA_INFO_KIND: link->kind = RTA_DATA(it); break;
      case IFLA_INFO_SLAVE_KIND: link->slave_kind = RTA_DATA(it); break;
      case IFLA_INFO_DATA: read_data(link, it); break;
    }
}

static __attribute__((noinline)) void read_link(struct link *link, struct nlmsghdr *message) {
  struct ifinfomsg *header = NLMSG_DATA(message);
  memset(link, 0, sizeof *link);
  link->index = header->ifi_index;
  link->flags = header->ifi_flags;
  link->type = header->ifi_type;
  int rest = IFLA_PAYLOAD(message);
  for (struct rtattr *it = IFLA_RTA(header); RTA_OK(it, rest); it = RTA_NEXT(it, rest)) switch (it->rta_type & NLA_TYPE_MASK) {
      case IFLA_ADDRESS: link->mac = RTA_DATA(it); break;
      case IFLA_IFNAME: link->name = RTA_DATA(it); break;
      case IFLA_MTU: link->mtu = u32(it); break;
      case IFLA_LINK: link->parent = u32(it); break;
      case IFLA_LINK_NETNSID: link->parent_netnsid = u32(it); break;
      case IFLA_MASTER: link->master = u32(it); break;
      case IFLA_TXQLEN: link->tx_queue_length = u32(it); break;
      case IFLA_OPERSTATE: link->operstate = *(uint8_t *)RTA_DATA(it); break;
      case IFLA_CARRIER: link->carrier = *(uint8_t *)RTA_DATA(it); break;
      case IFLA_LINKINFO: read_info(link, it); break;
    }
}

static void read_metrics(struct route *route, struct rtattr *nest) {
  int rest = RTA_PAYLOAD(nest);
  for (struct rtattr *it = RTA_DATA(nest); RTA_OK(it, rest); it = RTA_NEXT(it, rest))
    if (it->rta_type == RTAX_MTU) route->mtu = u32(it);
}

static const uint8_t *address(const struct rtattr *it, unsigned bytes) {
  wrong |= RTA_PAYLOAD(it) ^ bytes;
  return RTA_DATA(it);
}

static __attribute__((noinline)) void read_route(struct route *route, struct nlmsghdr *message) {
  struct rtmsg *header = NLMSG_DATA(message);
  memset(route, 0, sizeof *route);
  route->family = header->rtm_family;
  route->length = header->rtm_dst_len;
  route->scope = header->rtm_scope;
  route->protocol = header->rtm_protocol;
  route->type = header->rtm_type;
  route->flags = header->rtm_flags;
  route->table = header->rtm_table;
  unsigned bytes = header->rtm_family == AF_INET ? 4 : 16;
  int rest = RTM_PAYLOAD(message);
  for (struct rtattr *it = RTM_RTA(header); RTA_OK(it, rest); it = RTA_NEXT(it, rest)) switch (it->rta_type & NLA_TYPE_MASK) {
      case RTA_DST: route->destination = address(it, bytes); break;
      case RTA_GATEWAY: route->gateway = address(it, bytes); break;
      case RTA_PREFSRC: route->source = address(it, bytes); break;
      case RTA_OIF: route->oif = u32(it); break;
      case RTA_PRIORITY: route->priority = u32(it); break;
      case RTA_TABLE: route->table = u32(it); break;
      case RTA_METRICS: read_metrics(route, it); break;
    }
}

static void parse(char *dump, size_t size, int are_links) {
  struct link link;
  struct route route;
  for (size_t at = 0; at < size;) {
    uint32_t length;
    memcpy(&length, dump + at, sizeof length);
    memcpy(response, dump + at + sizeof length, length);
    at += sizeof length + length;
    int rest = length;
    for (struct nlmsghdr *it = (void *)response; NLMSG_OK(it, rest); it = NLMSG_NEXT(it, rest)) {
      if (it->nlmsg_type == RTM_NEWLINK && are_links) read_link(&link, it), sink += link.index;
      if (it->nlmsg_type == RTM_NEWROUTE && !are_links) read_route(&route, it), sink += route.oif;
    }
  }
  if (wrong) exit(1);
}

static struct nlmsghdr *begin(char **at, int type, int flags, const void *header, size_t size) {
  struct nlmsghdr *it = (void *)*at;
  *it = (struct nlmsghdr){.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = 1};
  memcpy(NLMSG_DATA(it), header, size);
  *at += NLMSG_SPACE(size);
  return it;
}

static struct rtattr *put(char **at, int type, const void *value, size_t size) {
  struct rtattr *it = (void *)*at;
  it->rta_type = type;
  it->rta_len = RTA_LENGTH(size);
  memcpy(RTA_DATA(it), value, size);
  *at += RTA_SPACE(size);
  return it;
}

static __attribute__((noinline)) size_t encode(int master, int namespace, in_addr_t address, in_addr_t gateway) {
  char *at = request;
  struct nlmsghdr *it = begin(&at, RTM_NEWLINK, 0x605, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
  put(&at, IFLA_IFNAME, "eth0", 5);
  put(&at, IFLA_LINK, &master, 4);
  put(&at, IFLA_NET_NS_FD, &namespace, 4);
  struct rtattr *info = put(&at, IFLA_LINKINFO, "", 0);
  put(&at, IFLA_INFO_KIND, "ipvlan", 6);
  struct rtattr *data = put(&at, IFLA_INFO_DATA, "", 0);
  put(&at, IFLA_IPVLAN_MODE, &(uint16_t){0}, 2);
  data->rta_len = at - (char *)data;
  info->rta_len = at - (char *)info;
  it->nlmsg_len = at - (char *)it;
  in_addr_t broadcast = address | htonl(255);
  it = begin(&at, RTM_NEWADDR, 0x605, &(struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 7},
             sizeof(struct ifaddrmsg));
  put(&at, IFA_LOCAL, &address, 4);
  put(&at, IFA_ADDRESS, &address, 4);
  put(&at, IFA_BROADCAST, &broadcast, 4);
  it->nlmsg_len = at - (char *)it;
  it = begin(&at, RTM_NEWROUTE, 0x405,
             &(struct rtmsg){.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT, .rtm_type = RTN_UNICAST},
             sizeof(struct rtmsg));
  put(&at, RTA_GATEWAY, &gateway, 4);
  put(&at, RTA_OIF, &(uint32_t){7}, 4);
  it->nlmsg_len = at - (char *)it;
  return at - request;
}

int main(int count, char **arguments) {
  char *dump = NULL;
  size_t size = 0;
  if (count == 3) {
    FILE *file = fopen(arguments[2], "rb");
    if (file == NULL) return 1;
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    dump = malloc(size);
    if (dump == NULL || fread(dump, 1, size, file) != size) return 1;
  } else if (count != 2) {
    return 2;
  }
  for (int sample = -20; sample < SAMPLES; sample++) {
    uint64_t start = now();
    if (dump) parse(dump, size, strcmp(arguments[1], "links") == 0);
    else
      for (int index = 0; index < ENCODES; index++) sink += encode(index, index, index, index);
    double elapsed = now() - start;
    if (sample >= 0) printf("%.1f\n", dump ? elapsed : elapsed / ENCODES);
  }
  return 0;
}
