// libcurl brings some thirty libraries along. Only a service that talks to a venue needs them, so that
// each function of libcurl is found by its first call instead of at the start.
#define CURL_DISABLE_TYPECHECK
#include "ccurl.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// curl.h has macros of these names.
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

static void *found(const char *name) {
  void *library = dlopen("libcurl.so.4", RTLD_LAZY | RTLD_LOCAL);
  void *function = library ? dlsym(library, name) : 0;
  if (!function) {
    fprintf(stderr, "libcurl cannot be used: %s\n", dlerror());
    abort();
  }
  return function;
}

#define FUNCTION(NAME) \
  static typeof(NAME) *known; \
  typeof(NAME) *function = __atomic_load_n(&known, __ATOMIC_ACQUIRE); \
  if (!function) { \
    function = found(#NAME); \
    __atomic_store_n(&known, function, __ATOMIC_RELEASE); \
  }

#define FORWARD(RESULT, NAME, PARAMETERS, ARGUMENTS) \
  RESULT NAME PARAMETERS { \
    FUNCTION(NAME) \
    return function ARGUMENTS; \
  }

// The one variable argument is a long, an offset or a pointer: on 64-bit Linux all of them are passed
// alike.
_Static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(long), "LP64");

#define FORWARD_OPTION(RESULT, NAME, HANDLE, OPTION) \
  RESULT NAME(HANDLE *handle, OPTION option, ...) { \
    FUNCTION(NAME) \
    va_list list; \
    va_start(list, option); \
    long value = va_arg(list, long); \
    va_end(list); \
    return function(handle, option, value); \
  }

FORWARD(CURLcode, curl_global_init, (long flags), (flags))

FORWARD(CURL *, curl_easy_init, (void), ())
FORWARD(void, curl_easy_cleanup, (CURL *handle), (handle))
FORWARD_OPTION(CURLcode, curl_easy_setopt, CURL, CURLoption)
FORWARD_OPTION(CURLcode, curl_easy_getinfo, CURL, CURLINFO)
FORWARD(const char *, curl_easy_strerror, (CURLcode code), (code))

FORWARD(CURLM *, curl_multi_init, (void), ())
FORWARD(CURLMcode, curl_multi_cleanup, (CURLM *multi), (multi))
FORWARD_OPTION(CURLMcode, curl_multi_setopt, CURLM, CURLMoption)
FORWARD(CURLMcode, curl_multi_add_handle, (CURLM *multi, CURL *handle), (multi, handle))
FORWARD(CURLMcode, curl_multi_remove_handle, (CURLM *multi, CURL *handle), (multi, handle))
FORWARD(
    CURLMcode, curl_multi_socket_action, (CURLM *multi, curl_socket_t socket, int events, int *left),
    (multi, socket, events, left))
FORWARD(CURLMsg *, curl_multi_info_read, (CURLM *multi, int *left), (multi, left))

FORWARD(
    struct curl_slist *, curl_slist_append, (struct curl_slist *list, const char *text),
    (list, text))
FORWARD(void, curl_slist_free_all, (struct curl_slist *list), (list))
