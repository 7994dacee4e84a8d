#include "clinux.h"

static _Thread_local void *current_loop;

void *clinux_thread_loop(void) { return current_loop; }
void clinux_set_thread_loop(void *loop) { current_loop = loop; }

// Zero pages until used: a thread without connections pays for addresses only.
static _Thread_local char buffers[2][64 * 1024];

void *clinux_thread_buffer(int which) { return buffers[which]; }
