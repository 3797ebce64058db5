/* What Debian's libstdc++ and its unwinder ask of glibc, and musl has not; see musl-library. */
#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

char __libc_single_threaded = 0;

unsigned arc4random(void) {
  unsigned value = 0;
  getrandom(&value, sizeof value, 0);
  return value;
}

/* Programs built with a newer libstdc++ ask for it: std::__glibcxx_assert_fail(file, line, function, condition). */
_Noreturn void assert_failed(const char *file, int line, const char *function, const char *condition)
    __asm__("_ZSt21__glibcxx_assert_failPKciS0_S0_");

void assert_failed(const char *file, int line, const char *function, const char *condition) {
  fprintf(stderr, "%s:%d: %s: %s\n", file, line, function, condition);
  abort();
}

/* Where an address is mapped, and the unwinder's table of that file; as _dl_find_object(3) of glibc 2.35 tells. */
struct dl_find_object {
  unsigned long long flags;
  void *start, *end, *map, *frame;
  unsigned long long reserved[7];
};

struct search {
  uintptr_t address;
  struct dl_find_object *found;
};

static int examine(struct dl_phdr_info *info, size_t size, void *data) {
  struct search *search = data;
  void *start = NULL, *end = NULL, *frame = NULL;
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &info->dlpi_phdr[i];
    uintptr_t first = info->dlpi_addr + part->p_vaddr;
    if (part->p_type == PT_GNU_EH_FRAME) frame = (void *)first;
    if (part->p_type != PT_LOAD || search->address < first || search->address >= first + part->p_memsz) continue;
    start = (void *)first;
    end = (void *)(first + part->p_memsz);
  }
  if (start == NULL || frame == NULL) return 0;
  *search->found = (struct dl_find_object){.start = start, .end = end, .frame = frame};
  return 1;
}

int _dl_find_object(void *address, struct dl_find_object *found) {
  struct search search = {(uintptr_t)address, found};
  return dl_iterate_phdr(examine, &search) ? 0 : -1;
}
