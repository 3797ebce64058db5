/*
 * Starts programs and says what each cost: the stop-watch of the process benchmarks.
 *
 * Commands come on standard input, one a line, fields apart by tabs:
 *   run STDIN PROGRAM NAME=VALUE…   one more program for the next start; STDIN is a file
 *   go                              starts all of them at once and waits for their ends
 * A variable with the value @now gets the time of the start, in nanoseconds of the epoch.
 * The answer to `go` is a line `MAKESPAN` in nanoseconds, from the first start to the last end, then one line for
 * each program in the order given: `WALL USER SYSTEM PEAK MINOR MAJOR STATUS`: nanoseconds, microseconds twice,
 * kilobytes, page faults of both kinds, exit status (-1 for a signal). What the program's own children cost is in it.
 *
 * It is C and small, so that it adds nothing: posix_spawn shares this program's few pages instead of copying a
 * runtime's, and a child's peak memory starts from them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { PROGRAMS_MAX = 512, VARIABLES_MAX = 32 };

struct program {
  char *line;
  char *input;
  char *path;
  char *variables[VARIABLES_MAX + 1];
  pid_t pid;
  int64_t started, ended;
  struct rusage usage;
  int status;
};

static struct program programs[PROGRAMS_MAX];
static int count;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void fail(const char *what, const char *subject) {
  fprintf(stderr, "timer: %s: %s\n", what, subject);
  exit(1);
}

static void add(char *line) {
  if (count == PROGRAMS_MAX) fail("too many programs", line);
  struct program *it = &programs[count++];
  it->line = strdup(line);
  char *rest = it->line;
  strsep(&rest, "\t");
  it->input = strsep(&rest, "\t");
  it->path = strsep(&rest, "\t");
  if (it->path == NULL) fail("a program is missing", line);
  int variables = 0;
  for (char *each; (each = strsep(&rest, "\t")) != NULL;) {
    if (variables == VARIABLES_MAX) fail("too many variables", line);
    it->variables[variables++] = each;
  }
  it->variables[variables] = NULL;
}

static void start(struct program *it) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, it->input, O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  char *arguments[] = {it->path, NULL}, stamp[64];
  for (char **each = it->variables; *each != NULL; each++) {
    char *value = strchr(*each, '=');
    if (value == NULL || strcmp(value, "=@now") != 0) continue;
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    snprintf(stamp, sizeof stamp, "%.*s=%lld%09ld", (int)(value - *each), *each, (long long)time.tv_sec, time.tv_nsec);
    *each = stamp;
  }
  it->started = now();
  int error = posix_spawn(&it->pid, it->path, &files, NULL, arguments, it->variables);
  if (error != 0) fail(strerror(error), it->path);
  posix_spawn_file_actions_destroy(&files);
}

static void await_one(void) {
  int status;
  struct rusage usage;
  pid_t pid = wait4(-1, &status, 0, &usage);
  int64_t ended = now();
  for (int index = 0; index < count; index++) {
    struct program *it = &programs[index];
    if (it->pid != pid) continue;
    it->ended = ended;
    it->usage = usage;
    it->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
}

static int64_t microseconds(struct timeval time) { return (int64_t)time.tv_sec * 1000000 + time.tv_usec; }

static void go(void) {
  int64_t begun = now();
  for (int index = 0; index < count; index++) start(&programs[index]);
  for (int index = 0; index < count; index++) await_one();
  int64_t last = begun;
  for (int index = 0; index < count; index++)
    if (programs[index].ended > last) last = programs[index].ended;
  printf("%lld\n", (long long)(last - begun));
  for (int index = 0; index < count; index++) {
    struct program *it = &programs[index];
    printf("%lld %lld %lld %ld %ld %ld %d\n", (long long)(it->ended - it->started),
           (long long)microseconds(it->usage.ru_utime), (long long)microseconds(it->usage.ru_stime),
           it->usage.ru_maxrss, it->usage.ru_minflt, it->usage.ru_majflt, it->status);
    free(it->line);
    it->pid = 0;
  }
  fflush(stdout);
  count = 0;
}

int main(void) {
  static char line[65536];
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "run\t", 4) == 0) add(line);
    else if (strcmp(line, "go") == 0) go();
    else fail("unknown command", line);
  }
  return 0;
}
