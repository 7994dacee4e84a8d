#include "clinux.h"

static _Thread_local void *current_loop;

void *clinux_thread_loop(void) { return current_loop; }
void clinux_set_thread_loop(void *loop) { current_loop = loop; }
