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
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES = 300, ENCODES = 20000, NOWHERE = 0x7fffffff };

struct link {
  int32_t index, parent, parent_netnsid, netnsid, master;
  uint32_t flags, mtu, tx_queue_length;
  uint16_t type, mode, mode_flags;
  uint8_t operstate, carrier;
  const struct rtattr *name, *mac, *kind, *slave_kind, *data;
};

struct route {
  uint8_t family, length, scope, protocol, type;
  uint32_t table, priority, oif, flags, mtu, advmss;
  const struct rtattr *destination, *gateway, *source, *via, *nexthops;
};

static char response[131072] __attribute__((aligned(16)));
static char request[4096] __attribute__((aligned(16)));
static volatile uint64_t sink;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/*
 * What is checked is what the plugin's codec checks: each length against what is around it, and each size that is known.
 * The sizes' errors are collected and looked at in the end, which is faster.
 */
static int wrong;

static uint32_t u32(const struct rtattr *it) {
  uint32_t value;
  wrong |= RTA_PAYLOAD(it) ^ sizeof value;
  memcpy(&value, RTA_DATA(it), sizeof value);
  return value;
}

static uint16_t u16(const struct rtattr *it) {
  uint16_t value;
  wrong |= RTA_PAYLOAD(it) ^ sizeof value;
  memcpy(&value, RTA_DATA(it), sizeof value);
  return value;
}

static const struct rtattr *sized(const struct rtattr *it, int bytes) {
  wrong |= RTA_PAYLOAD(it) ^ bytes;
  return it;
}

static uint8_t u8(const struct rtattr *it) { return *(uint8_t *)RTA_DATA(sized(it, 1)); }

static int type_of(const struct rtattr *it) { return it->rta_type & NLA_TYPE_MASK; }

/* Attributes that nobody asks for. */
static bool walk(const struct rtattr *it, int rest) {
  while (RTA_OK(it, rest)) it = RTA_NEXT(it, rest);
  return rest <= 0;
}

static bool is_kind(const struct rtattr *it, const char *name) {
  size_t length = strlen(name), payload = RTA_PAYLOAD(it);
  const char *text = RTA_DATA(it);
  return (payload == length || (payload == length + 1 && text[length] == 0)) && memcmp(text, name, length) == 0;
}

/* The data of these kinds; other kinds may put there what they like. */
static bool read_data(struct link *link) {
  bool is_ipvlan = is_kind(link->kind, "ipvlan"), is_macvlan = is_kind(link->kind, "macvlan");
  if (!is_ipvlan && !is_macvlan && !is_kind(link->kind, "vlan")) return true;
  int rest = RTA_PAYLOAD(link->data);
  for (const struct rtattr *it = RTA_DATA(link->data); RTA_OK(it, rest); it = RTA_NEXT(it, rest)) {
    int type = type_of(it);
    if (is_ipvlan && type == IFLA_IPVLAN_MODE) link->mode = u16(it);
    else if (is_ipvlan && type == IFLA_IPVLAN_FLAGS) link->mode_flags = u16(it);
    else if (is_macvlan && type == IFLA_MACVLAN_MODE) link->mode = u32(it);
    else if (!is_ipvlan && !is_macvlan && type == IFLA_VLAN_ID) link->mode = u16(it);
  }
  return rest <= 0 && wrong == 0;
}

static bool read_info(struct link *link, const struct rtattr *nest) {
  int rest = RTA_PAYLOAD(nest);
  for (const struct rtattr *it = RTA_DATA(nest); RTA_OK(it, rest); it = RTA_NEXT(it, rest)) switch (type_of(it)) {
      case IFLA_INFO_KIND: link->kind = it; break;
      case IFLA_INFO_SLAVE_KIND: link->slave_kind = it; break;
      case IFLA_INFO_DATA: link->data = it; break;
    }
  return rest <= 0 && (link->kind == NULL || link->data == NULL || read_data(link));
}

static __attribute__((noinline)) bool read_link(struct link *link, const struct nlmsghdr *message) {
  const struct ifinfomsg *header = NLMSG_DATA(message);
  int rest = IFLA_PAYLOAD(message);
  if (rest < 0) return false;
  memset(link, 0, sizeof *link);
  link->index = header->ifi_index;
  link->flags = header->ifi_flags;
  link->type = header->ifi_type;
  for (const struct rtattr *it = IFLA_RTA(header); RTA_OK(it, rest); it = RTA_NEXT(it, rest)) switch (type_of(it)) {
      case IFLA_ADDRESS: link->mac = it; break;
      case IFLA_IFNAME: link->name = it; break;
      case IFLA_MTU: link->mtu = u32(it); break;
      case IFLA_LINK: link->parent = u32(it); break;
      case IFLA_LINK_NETNSID: link->parent_netnsid = u32(it); break;
      case IFLA_TARGET_NETNSID: link->netnsid = u32(it); break;
      case IFLA_MASTER: link->master = u32(it); break;
      case IFLA_TXQLEN: link->tx_queue_length = u32(it); break;
      case IFLA_OPERSTATE: link->operstate = u8(it); break;
      case IFLA_CARRIER: link->carrier = u8(it); break;
      case IFLA_LINKINFO: wrong |= !read_info(link, it); break;
      case IFLA_PROP_LIST: wrong |= !walk(RTA_DATA(it), RTA_PAYLOAD(it)); break;
    }
  return rest <= 0 && wrong == 0;
}

static bool read_metrics(struct route *route, const struct rtattr *nest) {
  int rest = RTA_PAYLOAD(nest);
  for (const struct rtattr *it = RTA_DATA(nest); RTA_OK(it, rest); it = RTA_NEXT(it, rest)) switch (type_of(it)) {
      case RTAX_MTU: route->mtu = u32(it); break;
      case RTAX_ADVMSS: route->advmss = u32(it); break;
    }
  return rest <= 0 && wrong == 0;
}

/* All are walked; the first one's link and gateway stand for the route's. */
static bool read_nexthops(struct route *route, int bytes) {
  int rest = RTA_PAYLOAD(route->nexthops);
  const struct rtnexthop *hop = RTA_DATA(route->nexthops);
  for (bool is_first = true; rest >= (int)sizeof *hop; is_first = false) {
    if (hop->rtnh_len < sizeof *hop || hop->rtnh_len > rest) return false;
    if (is_first) route->oif = hop->rtnh_ifindex;
    int within = hop->rtnh_len - sizeof *hop;
    for (const struct rtattr *it = RTNH_DATA(hop); RTA_OK(it, within); it = RTA_NEXT(it, within)) {
      if (type_of(it) == RTA_GATEWAY) sized(it, bytes);
      if (is_first && type_of(it) == RTA_GATEWAY) route->gateway = it;
      if (is_first && type_of(it) == RTA_VIA) route->via = it;
    }
    if (within > 0) return false;
    rest -= RTNH_ALIGN(hop->rtnh_len);
    hop = RTNH_NEXT(hop);
  }
  return rest <= 0 && wrong == 0;
}

static int bytes_of(int family) { return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0; }

static bool is_via(const struct rtattr *it) {
  const struct rtvia *via = RTA_DATA(it);
  int length = (int)RTA_PAYLOAD(it) - (int)sizeof via->rtvia_family;
  return length > 0 && length == bytes_of(via->rtvia_family);
}

static __attribute__((noinline)) bool read_route(struct route *route, const struct nlmsghdr *message) {
  const struct rtmsg *header = NLMSG_DATA(message);
  int rest = RTM_PAYLOAD(message);
  if (rest < 0) return false;
  int bytes = bytes_of(header->rtm_family);
  if (bytes == 0) return walk(RTM_RTA(header), rest);
  if (header->rtm_dst_len > bytes * 8) return false;
  memset(route, 0, sizeof *route);
  route->family = header->rtm_family;
  route->length = header->rtm_dst_len;
  route->scope = header->rtm_scope;
  route->protocol = header->rtm_protocol;
  route->type = header->rtm_type;
  route->flags = header->rtm_flags;
  route->table = header->rtm_table;
  for (const struct rtattr *it = RTM_RTA(header); RTA_OK(it, rest); it = RTA_NEXT(it, rest)) switch (type_of(it)) {
      case RTA_DST: route->destination = sized(it, bytes); break;
      case RTA_GATEWAY: route->gateway = sized(it, bytes); break;
      case RTA_PREFSRC: route->source = sized(it, bytes); break;
      case RTA_OIF: route->oif = u32(it); break;
      case RTA_PRIORITY: route->priority = u32(it); break;
      case RTA_TABLE: route->table = u32(it); break;
      case RTA_METRICS: wrong |= !read_metrics(route, it); break;
      case RTA_MULTIPATH: route->nexthops = it; break;
      case RTA_VIA: route->via = it; break;
    }
  return rest <= 0 && wrong == 0 && (route->length == 0 || route->destination != NULL) &&
         (route->nexthops == NULL || read_nexthops(route, bytes)) && (route->via == NULL || is_via(route->via));
}

/* Looks for a link or a route that is not there, as the other contenders do. */
static bool parse(const char *dump, size_t size) {
  struct link link;
  struct route route;
  for (size_t at = 0; at < size;) {
    uint32_t length;
    memcpy(&length, dump + at, sizeof length);
    memcpy(response, dump + at + sizeof length, length);
    at += sizeof length + length;
    int rest = length;
    const struct nlmsghdr *it = (void *)response;
    for (; NLMSG_OK(it, rest); it = NLMSG_NEXT(it, rest)) switch (it->nlmsg_type) {
        case RTM_NEWLINK:
          if (!read_link(&link, it)) return false;
          if (link.index == NOWHERE) sink++;
          break;
        case RTM_NEWROUTE:
          if (!read_route(&route, it)) return false;
          if (route.oif == NOWHERE) sink++;
          break;
        case NLMSG_DONE: break;
        default: return false;
      }
    if (rest > 0) return false;
  }
  return true;
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
    if (dump && !parse(dump, size)) return 1;
    if (!dump)
      for (int index = 0; index < ENCODES; index++) sink += encode(index, index, index, index);
    double elapsed = now() - start;
    if (sample >= 0) printf("%.1f\n", dump ? elapsed : elapsed / ENCODES);
  }
  return 0;
}
