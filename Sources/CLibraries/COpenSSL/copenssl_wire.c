#include "copenssl.h"
#include <string.h>

// Where a session's ciphertext comes from and goes to. Received bytes are read where they lie, and
// records are written to where their sender wants them; only what has no such place is copied here.
typedef struct {
  // Lent for one call, or `kept`.
  const char *input;
  size_t input_left;
  // Input that its lender takes back before all of it was read.
  char *kept;
  // Lent for one call of `copenssl_seal`.
  char *place;
  size_t place_left;
  // Output of the other calls: the handshake, alerts.
  char *spill;
  size_t spill_count;
} wire;

static int wire_read(BIO *bio, char *bytes, size_t capacity, size_t *count) {
  wire *wire = BIO_get_data(bio);
  size_t length = wire->input_left < capacity ? wire->input_left : capacity;
  if (!length) {
    BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
    *count = 0;
    return 0;
  }
  BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
  memcpy(bytes, wire->input, length);
  wire->input += length;
  wire->input_left -= length;
  *count = length;
  return 1;
}

static int wire_write(BIO *bio, const char *bytes, size_t length, size_t *count) {
  wire *wire = BIO_get_data(bio);
  BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
  *count = length;
  if (length <= wire->place_left && !wire->spill_count) {
    memcpy(wire->place, bytes, length);
    wire->place += length;
    wire->place_left -= length;
    return 1;
  }
  char *longer = OPENSSL_realloc(wire->spill, wire->spill_count + length);
  if (!longer) return 0;
  memcpy(longer + wire->spill_count, bytes, length);
  wire->spill = longer;
  wire->spill_count += length;
  return 1;
}

static long wire_control(BIO *bio, int command, long number, void *pointer) {
  (void)number;
  (void)pointer;
  wire *wire = BIO_get_data(bio);
  switch (command) {
    case BIO_CTRL_PENDING: return (long)wire->input_left;
    case BIO_CTRL_FLUSH: return 1;
    default: return 0;
  }
}

static int wire_create(BIO *bio) {
  wire *made = OPENSSL_zalloc(sizeof *made);
  if (!made) return 0;
  BIO_set_data(bio, made);
  BIO_set_init(bio, 1);
  return 1;
}

static int wire_destroy(BIO *bio) {
  wire *wire = BIO_get_data(bio);
  if (wire) {
    OPENSSL_free(wire->kept);
    OPENSSL_free(wire->spill);
    OPENSSL_free(wire);
  }
  return 1;
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

static void make_method(void) {
  method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
  if (!method) return;
  BIO_meth_set_read_ex(method, wire_read);
  BIO_meth_set_write_ex(method, wire_write);
  BIO_meth_set_ctrl(method, wire_control);
  BIO_meth_set_create(method, wire_create);
  BIO_meth_set_destroy(method, wire_destroy);
}

SSL *copenssl_session_new(SSL_CTX *context, int is_server) {
  if (!CRYPTO_THREAD_run_once(&once, make_method) || !method) return NULL;
  SSL *session = SSL_new(context);
  BIO *bio = session ? BIO_new(method) : NULL;
  if (!bio) {
    SSL_free(session);
    return NULL;
  }
  SSL_set_bio(session, bio, bio);
  if (is_server) SSL_set_accept_state(session);
  else SSL_set_connect_state(session);
  return session;
}

// Its read side: during a handshake OpenSSL puts a buffer in front of the write side.
static wire *wire_of(const SSL *session) { return BIO_get_data(SSL_get_rbio(session)); }

int copenssl_lend(SSL *session, const void *bytes, size_t count) {
  wire *wire = wire_of(session);
  if (!wire->kept) {
    wire->input = bytes;
    wire->input_left = count;
    return 1;
  }
  char *joined = OPENSSL_malloc(wire->input_left + count);
  if (!joined) return 0;
  memcpy(joined, wire->input, wire->input_left);
  memcpy(joined + wire->input_left, bytes, count);
  OPENSSL_free(wire->kept);
  wire->kept = joined;
  wire->input = joined;
  wire->input_left += count;
  return 1;
}

int copenssl_take_back(SSL *session) {
  wire *wire = wire_of(session);
  if (!wire->input_left) {
    OPENSSL_free(wire->kept);
    wire->kept = NULL;
    wire->input = NULL;
    return 1;
  }
  if (wire->kept) return 1;
  wire->kept = OPENSSL_memdup(wire->input, wire->input_left);
  wire->input = wire->kept;
  if (!wire->kept) wire->input_left = 0;
  return wire->kept != NULL;
}

int copenssl_has_input(const SSL *session) {
  return wire_of(session)->input_left > 0 || SSL_has_pending(session);
}

void copenssl_release_buffers(SSL *session) {
  // Asked for both: before 3.0.14 SSL_free_buffers overlooked a record that was half read
  // (CVE-2024-4741).
  if (!SSL_has_pending(session)) (void)SSL_free_buffers(session);
}

int copenssl_seal(
    SSL *session, const void *bytes, size_t count, void *place, size_t capacity, size_t *sealed) {
  wire *wire = wire_of(session);
  wire->place = place;
  wire->place_left = capacity;
  size_t taken = 0;
  int ok = SSL_write_ex(session, bytes, count, &taken);
  *sealed = capacity - wire->place_left;
  wire->place = NULL;
  wire->place_left = 0;
  return ok;
}

size_t copenssl_spill(SSL *session, const void **bytes) {
  wire *wire = wire_of(session);
  *bytes = wire->spill;
  return wire->spill_count;
}

void copenssl_spill_clear(SSL *session) {
  wire *wire = wire_of(session);
  OPENSSL_free(wire->spill);
  wire->spill = NULL;
  wire->spill_count = 0;
}
