/*
 * Writes what a program sends to and receives from netlink, as lines of hex ("> " and "< "), to the file named by
 * RECORD_TO. With RECORD_CAPPED set its sockets ask for acknowledgements without the request in them.
 *
 *   gcc -shared -fPIC -o record.so record.c -ldl && RECORD_TO=/dev/stderr LD_PRELOAD=./record.so ip link show
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void write_down(const char *mark, int fd, const struct iovec *parts, size_t count, size_t length) {
  int domain = 0;
  socklen_t size = sizeof domain;
  const char *path = getenv("RECORD_TO");
  if (path == NULL || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_NETLINK) return;
  FILE *out = fopen(path, "a");
  if (out == NULL) return;
  fputs(mark, out);
  for (size_t part = 0; part < count; part++)
    for (size_t index = 0; index < parts[part].iov_len && length > 0; index++, length--)
      fprintf(out, "%02x", ((unsigned char *)parts[part].iov_base)[index]);
  fputc('\n', out);
  fclose(out);
}

int socket(int domain, int type, int protocol) {
  int (*next)(int, int, int) = dlsym(RTLD_NEXT, "socket");
  int fd = next(domain, type, protocol);
  int one = 1;
  if (domain == AF_NETLINK && getenv("RECORD_CAPPED") != NULL)
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  return fd;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  ssize_t (*next)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
  write_down("> ", fd, message->msg_iov, message->msg_iovlen, (size_t)-1);
  return next(fd, message, flags);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  ssize_t (*next)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
  struct iovec part = {(void *)bytes, length};
  write_down("> ", fd, &part, 1, length);
  return next(fd, bytes, length, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  ssize_t (*next)(int, struct msghdr *, int) = dlsym(RTLD_NEXT, "recvmsg");
  ssize_t length = next(fd, message, flags);
  if (length > 0 && !(flags & MSG_PEEK)) write_down("< ", fd, message->msg_iov, message->msg_iovlen, length);
  return length;
}
