// libcurl, with its variadic calls spelled out for Swift.
#pragma once
#include <curl/curl.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

static inline CURLcode ccurl_set_long(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ccurl_set_size(CURL *handle, CURLoption option, int64_t value) {
  return curl_easy_setopt(handle, option, (curl_off_t)value);
}

static inline CURLcode ccurl_set_text(CURL *handle, CURLoption option, const char *text) {
  return curl_easy_setopt(handle, option, text);
}

static inline CURLcode ccurl_set_pointer(CURL *handle, CURLoption option, void *_Nullable pointer) {
  return curl_easy_setopt(handle, option, pointer);
}

// The PEM text of the trusted authorities; curl keeps a copy.
static inline CURLcode ccurl_set_authorities(CURL *handle, const void *pem, size_t length) {
  struct curl_blob blob = {(void *)pem, length, CURL_BLOB_COPY};
  return curl_easy_setopt(handle, CURLOPT_CAINFO_BLOB, &blob);
}

typedef size_t (*ccurl_data_callback)(char *bytes, size_t size, size_t count, void *transfer);
typedef int (*ccurl_prerequest_callback)(
    void *transfer, char *primary, char *local, int primary_port, int local_port);

static inline void ccurl_set_callbacks(
    CURL *handle, void *transfer, ccurl_data_callback body, ccurl_data_callback header,
    ccurl_prerequest_callback prerequest) {
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, prerequest);
  curl_easy_setopt(handle, CURLOPT_PREREQDATA, transfer);
  curl_easy_setopt(handle, CURLOPT_PRIVATE, transfer);
}

typedef int (*ccurl_socket_callback)(
    CURL *handle, curl_socket_t socket, int what, void *owner, void *_Nullable socket_owner);
typedef int (*ccurl_timer_callback)(CURLM *multi, long timeout_ms, void *owner);

static inline void ccurl_multi_set_callbacks(
    CURLM *multi, void *owner, ccurl_socket_callback socket, ccurl_timer_callback timer) {
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, owner);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, owner);
}

static inline void ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  curl_multi_setopt(multi, option, value);
}

// The next finished transfer's handle and result; null when there is none.
static inline CURL *_Nullable ccurl_multi_finished(CURLM *multi, CURLcode *result) {
  int left = 0;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    *result = message->data.result;
    return message->easy_handle;
  }
  return 0;
}

static inline void *_Nullable ccurl_private(CURL *handle) {
  char *pointer = 0;
  curl_easy_getinfo(handle, CURLINFO_PRIVATE, &pointer);
  return pointer;
}

static inline long ccurl_info_long(CURL *handle, CURLINFO info) {
  long value = 0;
  curl_easy_getinfo(handle, info, &value);
  return value;
}

static inline double ccurl_info_double(CURL *handle, CURLINFO info) {
  double value = 0;
  curl_easy_getinfo(handle, info, &value);
  return value;
}

#pragma clang assume_nonnull end
