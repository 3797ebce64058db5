/*
 * The floor: what an ADD and a DEL cost when nothing but the kernel's work is left. The same system calls, files and
 * netlink messages as the plugin's, without reading the configuration, without checks of any input and without a
 * runtime. Never a plugin: what it needs to know comes in variables, and every failure ends it.
 *
 *   FLOOR_MASTER  name of the master        FLOOR_DATA  directory of the leases (of 10.88.0.0/16)
 *   FLOOR_RUN     directory of the records  KIND        (when compiled) "ipvlan" or "macvlan"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char batch[4096], answer[32768];
static size_t batch_length;
static unsigned sequence;

static void need(int good, const char *what) {
  if (good) return;
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  exit(1);
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  need(value != NULL, name);
  return value;
}

static char *text(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *made;
  need(vasprintf(&made, format, arguments) >= 0, "memory");
  va_end(arguments);
  return made;
}

/* Netlink requests are written one behind the other into `batch`. */

static struct nlmsghdr *message(int type, int flags, const void *header, size_t length) {
  struct nlmsghdr *it = (void *)(batch + batch_length);
  *it = (struct nlmsghdr){.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = ++sequence};
  memcpy(NLMSG_DATA(it), header, length);
  it->nlmsg_len = NLMSG_LENGTH(length);
  batch_length += NLMSG_ALIGN(it->nlmsg_len);
  return it;
}

static struct rtattr *attribute(struct nlmsghdr *to, int type, const void *value, size_t length) {
  struct rtattr *it = (void *)((char *)to + NLMSG_ALIGN(to->nlmsg_len));
  it->rta_type = type;
  it->rta_len = RTA_LENGTH(length);
  if (length > 0) memcpy(RTA_DATA(it), value, length);
  size_t before = NLMSG_ALIGN(to->nlmsg_len);
  to->nlmsg_len = before + RTA_ALIGN(it->rta_len);
  batch_length += to->nlmsg_len - before;
  return it;
}

static void end_nest(struct nlmsghdr *in, struct rtattr *nest) {
  nest->rta_len = (char *)in + in->nlmsg_len - (char *)nest;
}

/*
 * Sends the batch and takes its answers up to that of the last request, the only one that wants to be acknowledged;
 * returns the first error, and in `found` the last link described.
 */
static int exchange(int socket, struct ifinfomsg *found) {
  int error = 0, is_over = 0, rest = batch_length;
  for (struct nlmsghdr *it = (void *)batch; NLMSG_OK(it, rest); it = NLMSG_NEXT(it, rest))
    if (it->nlmsg_seq != sequence || it->nlmsg_type == RTM_GETLINK) it->nlmsg_flags &= ~NLM_F_ACK;
  need(send(socket, batch, batch_length, 0) == (ssize_t)batch_length, "send");
  batch_length = 0;
  while (!is_over) {
    int length = recv(socket, answer, sizeof answer, 0);
    need(length > 0, "recv");
    for (struct nlmsghdr *it = (void *)answer; NLMSG_OK(it, length); it = NLMSG_NEXT(it, length)) {
      if (it->nlmsg_type == RTM_NEWLINK && found) memcpy(found, NLMSG_DATA(it), sizeof *found);
      if (it->nlmsg_type == NLMSG_ERROR && error == 0) error = -((struct nlmsgerr *)NLMSG_DATA(it))->error;
      is_over |= it->nlmsg_seq == sequence;
    }
  }
  return error;
}

static int open_socket(void) {
  int one = 1, it = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  need(it >= 0, "socket");
  setsockopt(it, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
  setsockopt(it, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  setsockopt(it, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
  return it;
}

static void ask_link(const char *name, int index) {
  struct ifinfomsg header = {.ifi_index = index};
  struct nlmsghdr *it = message(RTM_GETLINK, NLM_F_ACK, &header, sizeof header);
  unsigned mask = RTEXT_FILTER_SKIP_STATS;
  attribute(it, IFLA_EXT_MASK, &mask, sizeof mask);
  if (name) attribute(it, IFLA_IFNAME, name, strlen(name) + 1);
}

static void ask_create(const char *name, int master, int namespace) {
  struct ifinfomsg header = {0};
  struct nlmsghdr *it = message(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
  attribute(it, IFLA_IFNAME, name, strlen(name) + 1);
  attribute(it, IFLA_LINK, &master, sizeof master);
  attribute(it, IFLA_NET_NS_FD, &namespace, sizeof namespace);
  struct rtattr *info = attribute(it, IFLA_LINKINFO, NULL, 0);
  attribute(it, IFLA_INFO_KIND, KIND, sizeof KIND);
  struct rtattr *data = attribute(it, IFLA_INFO_DATA, NULL, 0);
  if (strcmp(KIND, "macvlan") == 0) {
    unsigned mode = MACVLAN_MODE_BRIDGE;
    attribute(it, IFLA_MACVLAN_MODE, &mode, sizeof mode);
  } else {
    unsigned short mode = IPVLAN_MODE_L2;
    attribute(it, IFLA_IPVLAN_MODE, &mode, sizeof mode);
  }
  end_nest(it, data);
  end_nest(it, info);
}

static void ask_address(int link, in_addr_t address, int length) {
  struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = length, .ifa_index = link};
  in_addr_t broadcast = address | htonl(0xffffffff >> length);
  struct nlmsghdr *it = message(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
  attribute(it, IFA_LOCAL, &address, sizeof address);
  attribute(it, IFA_ADDRESS, &address, sizeof address);
  attribute(it, IFA_BROADCAST, &broadcast, sizeof broadcast);
}

static void ask_up(int link) {
  struct ifinfomsg header = {.ifi_index = link, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  message(RTM_NEWLINK, NLM_F_ACK, &header, sizeof header);
}

static void ask_default_route(int link, in_addr_t gateway) {
  struct rtmsg header = {.rtm_family = AF_INET,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = RTPROT_BOOT,
                         .rtm_scope = RT_SCOPE_UNIVERSE,
                         .rtm_type = RTN_UNICAST};
  struct nlmsghdr *it = message(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, &header, sizeof header);
  attribute(it, RTA_GATEWAY, &gateway, sizeof gateway);
  attribute(it, RTA_OIF, &link, sizeof link);
}

static void write_file(const char *path, int flags, const char *content) {
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
  need(fd >= 0 && write(fd, content, strlen(content)) >= 0, path);
  close(fd);
}

static int lock(const char *directory) {
  mkdir(directory, 0755);
  int fd = open(text("%s/lock", directory), O_RDONLY | O_CREAT | O_CLOEXEC, 0750);
  need(fd >= 0 && flock(fd, LOCK_EX) == 0, "lock");
  return fd;
}

/* The next address after the last one given, as host-local keeps it. */
static in_addr_t lease(const char *directory, const char *owner) {
  int locked = lock(directory);
  char *cursor = text("%s/last_reserved_ip.0", directory), last[64] = "10.88.0.1";
  int fd = open(cursor, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    last[read(fd, last, sizeof last - 1)] = '\0';
    close(fd);
  }
  for (in_addr_t next = ntohl(inet_addr(last)) + 1;; next = next >= 0x0a58fffe ? 0x0a580002 : next + 1) {
    struct in_addr address = {htonl(next)};
    char *name = inet_ntoa(address), *path = text("%s/%s", directory, name), *staging = text("%s/new", directory);
    write_file(staging, O_TRUNC, owner);
    if (renameat2(AT_FDCWD, staging, AT_FDCWD, path, RENAME_NOREPLACE) != 0) continue;
    write_file(staging, O_TRUNC, name);
    need(rename(staging, cursor) == 0, "rename");
    close(locked);
    return address.s_addr;
  }
}

static void release(const char *directory, const char *owner) {
  int locked = lock(directory);
  DIR *all = opendir(directory);
  need(all != NULL, directory);
  for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
    char content[256], *path = text("%s/%s", directory, entry->d_name);
    if (entry->d_name[0] != '1') continue;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, content, sizeof content - 1);
    close(fd);
    if (length < 0) continue;
    content[length] = '\0';
    if (strcmp(content, owner) == 0) unlink(path);
  }
  closedir(all);
  close(locked);
}

static int open_namespace(const char *path) {
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  need(fd >= 0 && fstat(fd, &status) == 0, path);
  return fd;
}

static void add(int host, int inside, int home, int container, const char *name, const char *record, const char *owner) {
  struct ifinfomsg link = {0}, master = {0};
  ask_link(name, 0);
  need(exchange(inside, NULL) == ENODEV, "the name is taken");
  ask_link(variable("FLOOR_MASTER"), 0);
  need(exchange(host, &master) == 0, "master");
  write_file(record, O_TRUNC, "{}");
  ask_create(name, master.ifi_index, container);
  need(exchange(host, NULL) == 0, "create");
  ask_link(name, 0);
  need(exchange(inside, &link) == 0, "link");
  in_addr_t address = lease(variable("FLOOR_DATA"), owner);
  need(setns(container, CLONE_NEWNET) == 0, "setns");
  write_file(text("/proc/sys/net/ipv4/conf/%s/arp_notify", name), 0, "1");
  write_file(text("/proc/sys/net/ipv6/conf/%s/ndisc_notify", name), 0, "1");
  need(setns(home, CLONE_NEWNET) == 0, "setns");
  ask_address(link.ifi_index, address, 16);
  ask_up(link.ifi_index);
  ask_default_route(link.ifi_index, inet_addr("10.88.0.1"));
  ask_link(NULL, link.ifi_index);
  need(exchange(inside, &link) == 0, "configure");
  printf("{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"%s\"}],\"ips\":[{\"address\":\"%s/16\"}]}\n", name,
         inet_ntoa((struct in_addr){address}));
}

static void del(int inside, const char *name, const char *record, const char *owner) {
  struct ifinfomsg link = {0};
  release(variable("FLOOR_DATA"), owner);
  ask_link(name, 0);
  if (exchange(inside, &link) == 0) {
    message(RTM_DELLINK, NLM_F_ACK, &(struct ifinfomsg){.ifi_index = link.ifi_index}, sizeof link);
    need(exchange(inside, NULL) == 0, "delete");
  }
  unlink(record);
}

int main(void) {
  char configuration[65536];
  const char *command = variable("CNI_COMMAND");
  if (strcmp(command, "VERSION") == 0) {
    puts("{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"1.0.0\",\"1.1.0\"]}");
    return 0;
  }
  need(read(0, configuration, sizeof configuration) >= 0, "configuration");
  const char *name = variable("CNI_IFNAME"), *id = variable("CNI_CONTAINERID");
  const char *record = text("%s/%s,%s", variable("FLOOR_RUN"), id, name), *owner = text("%s\r\n%s", id, name);
  int container = open_namespace(variable("CNI_NETNS")), home = open_namespace("/proc/thread-self/ns/net");
  int host = open_socket();
  need(setns(container, CLONE_NEWNET) == 0, "setns");
  int inside = open_socket();
  need(setns(home, CLONE_NEWNET) == 0, "setns");
  if (strcmp(command, "ADD") == 0) add(host, inside, home, container, name, record, owner);
  else del(inside, name, record, owner);
  return 0;
}
