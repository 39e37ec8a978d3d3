// A string that grows, and how results are written into it.
#include "oracle.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_WHOLE = 32, SHOWN_END = 8 };

void text_clear(struct text *text) {
  text->length = 0;
  if (text->bytes)
    text->bytes[0] = 0;
}

void text_add(struct text *text, const char *format, ...) {
  va_list args;
  for (;;) {
    size_t room = text->capacity - text->length;
    va_start(args, format);
    int wanted = vsnprintf(text->bytes ? text->bytes + text->length : NULL, room, format, args);
    va_end(args);
    if ((size_t)wanted < room) {
      text->length += wanted;
      return;
    }
    text->capacity = text->capacity * 2 + wanted + 64;
    text->bytes = realloc(text->bytes, text->capacity);
    if (!text->bytes)
      abort();
  }
}

static void quote(struct text *text, const unsigned char *bytes, size_t length) {
  text_add(text, "\"");
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] == '"' || bytes[i] == '\\')
      text_add(text, "\\%c", bytes[i]);
    else if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
      text_add(text, "%c", bytes[i]);
    else
      text_add(text, "\\x%02x", bytes[i]);
  }
  text_add(text, "\"");
}

void text_payload(struct text *text, const unsigned char *bytes, size_t length) {
  if (length <= SHOWN_WHOLE) {
    quote(text, bytes, length);
    return;
  }
  uint32_t hash = 0x811c9dc5;
  for (size_t i = 0; i < length; i++)
    hash = (hash ^ bytes[i]) * 0x01000193;
  quote(text, bytes, SHOWN_END);
  text_add(text, "..");
  quote(text, bytes + length - SHOWN_END, SHOWN_END);
  text_add(text, " fnv=%08x", hash);
}

void text_errno(struct text *text, int error) {
  const char *name = strerrorname_np(error);
  if (name)
    text_add(text, "%s", name);
  else
    text_add(text, "%d", error);
}
