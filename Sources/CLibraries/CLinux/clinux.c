#define _GNU_SOURCE
#include "clinux.h"

static _Thread_local void *current_loop;

void *clinux_thread_loop(void) { return current_loop; }
void clinux_set_thread_loop(void *loop) { current_loop = loop; }

// Zero pages until used: a thread without connections pays for addresses only.
static _Thread_local char buffers[2][64 * 1024];

void *clinux_thread_buffer(int which) { return buffers[which]; }

int clinux_accept(int listener, struct sockaddr *address, socklen_t *length) {
  return accept4(listener, address, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
}
