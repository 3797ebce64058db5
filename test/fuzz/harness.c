/*
 * Fuzzing of the codec that ships: wasm2c turns dist/codec.wasm into C, and one of three targets is chosen when this is
 * compiled.
 *
 *   walk     the input is a datagram, walked to its end
 *   seek     the input is a question (which, two numbers, a text) and a datagram
 *   request  the input is a list of calls that pack requests
 *
 * Linear memory is one block, in which reading a little too far goes unseen. So each datagram is read three times: with
 * two different poisons behind it, and at the very end of memory, where reading too far traps. All three must say the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "layout.h"

static void fail(const char *why) {
  fprintf(stderr, "BROKEN: %s\n", why);
  abort();
}

/* --- the little of a runtime that wasm2c's output needs --------------------------------------- */

uint32_t wasm_rt_call_stack_depth;
static uint8_t memory[MEMORY_PAGES * 65536];

void wasm_rt_trap(wasm_rt_trap_t code) {
  fprintf(stderr, "trap %d\n", (int)code);
  fail("the module traps");
  abort();
}
bool wasm_rt_is_initialized(void) { return true; }
void wasm_rt_free_memory(wasm_rt_memory_t *unused) { (void)unused; }
uint32_t wasm_rt_register_func_type(uint32_t parameters, uint32_t results, ...) {
  return parameters + results + 1;
}
void wasm_rt_allocate_memory(wasm_rt_memory_t *made, uint32_t pages, uint32_t most) {
  if (pages != MEMORY_PAGES || most != MEMORY_PAGES) fail("the module's memory has another size");
  made->data = memory;
  made->pages = made->max_pages = pages;
  made->size = sizeof memory;
}

static Z_codec_instance_t codec;

int LLVMFuzzerInitialize(int *count, char ***words) {
  (void)count;
  (void)words;
  Z_codec_init_module();
  Z_codec_instantiate(&codec);
  return 0;
}

static uint16_t u16_at(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }
static uint32_t u32_at(const uint8_t *at) { uint32_t value; memcpy(&value, at, 4); return value; }

/* --- answers ------------------------------------------------------------------------------------ */

#define POISON_BYTES 4096
#define SLOTS (MESSAGE_SLOT + 1)

/** What one reading said, as a hash. */
static uint64_t said;

static void say(uint64_t word) { said = (said ^ word) * 0x9e3779b97f4a7c15u; said ^= said >> 29; }

/** Says where everything was found, relative to the datagram, and that none of it lies outside. */
static void say_record(uint32_t start, uint32_t end) {
  for (uint32_t slot = 0; slot < SLOTS; slot++) {
    uint64_t pair;
    if (slot % 2 == 0 && slot + 1 < SLOTS) {
      memcpy(&pair, memory + RECORD + 4 * slot, 8);
      if (pair == 0) {
        slot++;
        continue;
      }
    }
    uint32_t at = u32_at(memory + RECORD + 4 * slot);
    if (at == 0) continue;
    if (at < start || at > end - 4) fail("a slot points outside of the datagram");
    uint32_t length = slot == MESSAGE_SLOT ? u32_at(memory + at) : u16_at(memory + at);
    if (length < 4 || length > end - at) fail("an attribute ends outside of the datagram");
    say((uint64_t)slot << 32 | (at - start));
  }
}

typedef uint32_t (*Step)(void);
static uint32_t next(void) { return Z_codecZ_responseNext(&codec); }

static void read_all(Step step, uint32_t start, uint32_t end) {
  memset(memory + RECORD, 0, 4 * SLOTS);
  for (uint32_t steps = 0;; steps++) {
    if (steps > (end - start) / 16 + 1) fail("the walker does not come to an end");
    int32_t type = (int32_t)step();
    say((uint32_t)type);
    if (type > 0) say_record(start, end);
    if (type <= 0) {
      if (type < 0 && (int32_t)step() != type) fail("a malformed message is passed the second time");
      return;
    }
  }
}

static uint64_t read_with(Step step, const uint8_t *datagram, uint32_t length, uint8_t poison) {
  uint8_t *response = memory + RESPONSE;
  uint32_t behind = RESPONSE_BYTES - length;
  memcpy(response, datagram, length);
  memset(response + length, poison, behind < POISON_BYTES ? behind : POISON_BYTES);
  said = 0;
  if (Z_codecZ_responseBegin(&codec, length) != 0) fail("a datagram that fits is refused");
  read_all(step, RESPONSE, RESPONSE + length);
  return said;
}

/** Behind one message that fills the rest of memory. */
static uint64_t read_at_the_end(Step step, const uint8_t *datagram, uint32_t length) {
  uint32_t gap = (RESPONSE_BYTES - length) & ~3u;
  uint8_t *response = memory + RESPONSE;
  static const uint8_t nothing[16] = {0, 0, 0, 0, 1};
  memcpy(response, nothing, sizeof nothing);
  memcpy(response, &gap, 4);
  /* Flush with the end where it is not a multiple of 4: what is behind is the alignment's. */
  memcpy(response + gap, datagram, length);
  memset(response + gap + length, 0x5a, RESPONSE_BYTES - gap - length);
  said = 0;
  if (Z_codecZ_responseBegin(&codec, gap + length) != 0) fail("a datagram that fits is refused");
  if (Z_codecZ_responseNext(&codec) != 1) fail("the message before is not read");
  read_all(step, RESPONSE + gap, RESPONSE + gap + length);
  return said;
}

static void check_answers(Step step, const uint8_t *datagram, size_t length) {
  if (length > RESPONSE_BYTES - 16) return;
  uint64_t first = read_with(step, datagram, (uint32_t)length, 1);
  if (read_with(step, datagram, (uint32_t)length, 0xff) != first) fail("what is behind the datagram counts");
  if (read_at_the_end(step, datagram, (uint32_t)length) != first) fail("where the datagram lies counts");
}

/* --- the targets -------------------------------------------------------------------------------- */

#if defined TARGET_walk

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  check_answers(next, data, size);
  return 0;
}

#elif defined TARGET_seek

static struct { uint8_t which, length; uint32_t a, b; } question;

static uint32_t seek(void) {
  switch (question.which % 5) {
    case 0: return Z_codecZ_seekLinkByKind(&codec, question.length, question.a);
    case 1: return Z_codecZ_seekLinkByName(&codec, question.length);
    case 2: return Z_codecZ_seekLinkByIndex(&codec, question.a);
    case 3: return Z_codecZ_seekAddress(&codec, question.a);
    default: return Z_codecZ_seekRoute(&codec, question.a, question.b);
  }
}

/** Which, a, b and the text's length in one byte each, the text, the datagram. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 4) return 0;
  question.which = data[0];
  question.a = data[1];
  question.b = data[2];
  question.length = data[3] & TEXT_BYTES_MAX;
  data += 4;
  size -= 4;
  if (size < question.length) return 0;
  memset(memory + TEXT, 0xa5, 128);
  memcpy(memory + TEXT, data, question.length);
  check_answers(seek, data + question.length, size - question.length);
  return 0;
}

#elif defined TARGET_request

static const uint8_t *from, *to;

static uint32_t byte(void) { return from < to ? *from++ : 0; }

/** Mostly small numbers, now and then any. */
static uint32_t number(void) {
  uint32_t first = byte();
  if (first < 0xf0) return first;
  if (first == 0xff) return (uint32_t)-1;
  uint32_t rest = byte() | byte() << 8;
  return rest | byte() << 16 | byte() << 24;
}

static uint32_t text(uint8_t stale) {
  uint32_t length = byte() & TEXT_BYTES_MAX;
  memset(memory + TEXT, stale, 132);
  for (uint32_t index = 0; index < length; index++) memory[TEXT + index] = (uint8_t)byte();
  return length;
}

/** src/linux/codec.ts never names more of a text than it has written; what is too long for any is to be refused. */
static uint32_t at_most(uint32_t wanted, uint32_t length) {
  return wanted > TEXT_BYTES_MAX || wanted < length ? wanted : length;
}

static void call(uint8_t stale) {
  uint32_t which = byte() % 10, n[15];
  uint32_t length = text(stale);
  for (int index = 0; index < 48; index++) memory[ADDRESS_IN + index] = (uint8_t)byte();
  for (int index = 0; index < 15; index++) n[index] = number();
  uint32_t first = at_most(n[0], length), second = at_most(n[1], length);
  switch (which) {
    case 0:
      return Z_codecZ_linkAdd(&codec, n[0], second, n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10]);
    case 1: return Z_codecZ_linkSet(&codec, n[0], second, n[2], n[3], n[4], n[5]);
    case 2: return Z_codecZ_linkDelete(&codec, n[0]);
    case 3: return Z_codecZ_linkGet(&codec, n[0], second);
    case 4: return Z_codecZ_linkDump(&codec, first, n[1]);
    case 5:
      return Z_codecZ_addressAdd(&codec, n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9]);
    case 6: return Z_codecZ_addressDelete(&codec, n[0], n[1], n[2]);
    case 7: return Z_codecZ_addressDump(&codec, n[0], n[1]);
    case 8:
      return Z_codecZ_routeChange(&codec, n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10],
                                  n[11], n[12], n[13], n[14]);
    default: return Z_codecZ_routeDump(&codec, n[0], n[1], n[2]);
  }
}

#define GUARD_BYTES 512

/** Packs the batch over stale memory; its length, or the negated number of an error. */
static int32_t pack(const uint8_t *data, size_t size, uint8_t stale) {
  from = data;
  to = data + size;
  memset(memory + REQUEST, stale, REQUEST_BYTES);
  memset(memory + REQUEST - GUARD_BYTES, 0x77, GUARD_BYTES);
  memset(memory + RESPONSE, 0x77, GUARD_BYTES);
  Z_codecZ_requestBegin(&codec, 7);
  while (from < to) call(stale);
  for (int index = 0; index < GUARD_BYTES; index++)
    if (memory[REQUEST - GUARD_BYTES + index] != 0x77 || memory[RESPONSE + index] != 0x77)
      fail("a request is written outside of its memory");
  return (int32_t)Z_codecZ_requestFinish(&codec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t before[REQUEST_BYTES];
  int32_t length = pack(data, size, 0x11);
  if (length > REQUEST_BYTES) fail("a batch is longer than its memory");
  if (length > 0) memcpy(before, memory + REQUEST, (size_t)length);
  if (pack(data, size, 0xee) != length) fail("what was in memory before counts");
  if (length <= 0) return 0;
  if (memcmp(before, memory + REQUEST, (size_t)length) != 0) fail("stale memory is sent to the kernel");
  uint32_t at = 0, count = 0;
  for (; at < (uint32_t)length; count++) {
    const uint8_t *message = memory + REQUEST + at;
    uint32_t bytes = u32_at(message);
    if (bytes < 16 || bytes > REQUEST_MESSAGE_BYTES_MAX || bytes % 4 != 0) fail("a message has a wrong length");
    if (u32_at(message + 8) != 7 + count) fail("a sequence number is wrong");
    at += bytes;
  }
  if (at != (uint32_t)length || count != Z_codecZ_requestCount(&codec)) fail("the messages are not the batch");
  return 0;
}

#endif
