// OpenSSL's macros as functions, and the few sequences of calls that only make sense together.
// Functions that return int give 1 for success, as OpenSSL does, unless their comment says otherwise.
#pragma once
#include <stdint.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#pragma clang assume_nonnull begin

enum { COPENSSL_ALPN_H2 = 1, COPENSSL_ALPN_HTTP11 = 2, COPENSSL_ALPN_BOTH = 3 };

/// A context that speaks TLS 1.3 only; null when out of memory.
SSL_CTX *_Nullable copenssl_context_new(int is_server);
/// `protocols` is one of COPENSSL_ALPN_*. A client that offers none of them is refused.
int copenssl_set_alpn(SSL_CTX *context, int is_server, int protocols);
/// The leaf and what follows it, all PEM.
int copenssl_use_chain(SSL_CTX *context, const char *pem, int length);
int copenssl_use_key(SSL_CTX *context, const char *pem, int length);
int copenssl_trust(SSL_CTX *context, const char *pem, int length, int name_to_clients);
/// 0 none, 1 asked for, 2 required.
void copenssl_verify_clients(SSL_CTX *context, int demand);

/// How long a ticket may stand for the certificates that its handshake has checked.
enum { COPENSSL_TICKET_SECONDS = 3600 };

/// Counts the KeyUpdate messages of the peer at `count`, which lives as long as the session.
void copenssl_count_key_updates(SSL *session, int32_t *count);

/// A session without a socket, which `SSL_free` frees with all that belongs to it.
SSL *_Nullable copenssl_session_new(SSL_CTX *context, int is_server);
/// The certificate must be for this host name or, when `is_address`, this IP address.
int copenssl_expect_host(SSL *session, const char *host, int is_address);
/// Ciphertext that the session reads until `copenssl_take_back`, behind what it has kept.
int copenssl_lend(SSL *session, const void *bytes, size_t count);
/// The lent bytes are about to be gone: those that were not read are copied.
int copenssl_take_back(SSL *session);
/// Whether there is ciphertext that was not read, or not decrypted.
int copenssl_has_input(const SSL *session);
/// Gives the buffers of a session back that has nothing to do; it takes new ones when it needs them.
void copenssl_release_buffers(SSL *session);
/// Encrypts to `place`, which holds `count` and 22 bytes for each of the 16 KB records in it; how
/// many bytes there are then is in `sealed`.
int copenssl_seal(
    SSL *session, const void *bytes, size_t count, void *place, size_t capacity, size_t *sealed);
/// Output of the other calls, and where it is.
size_t copenssl_spill(SSL *session, const void *_Nullable *_Nonnull bytes);
void copenssl_spill_clear(SSL *session);
/// Whether the peer's certificate, if it has one, is within its time: a resumed session's was checked
/// when its first one began.
int copenssl_peer_is_current(const SSL *session);
/// Copies the peer certificate's first URI with this prefix, without the prefix; its length or -1.
int copenssl_peer_uri(SSL *session, const char *prefix, char *buffer, int capacity);

typedef struct {
  const char *common_name;
  /// OpenSSL's syntax: "DNS:localhost,IP:127.0.0.1,URI:spiffe://..."; null for none.
  const char *_Nullable alternative_names;
  const char *_Nullable issuer_certificate;
  const char *_Nullable issuer_key;
  int is_authority;
  int64_t not_before;
  int64_t not_after;
} copenssl_certificate_request;

/// Makes an EC P-256 key and a certificate for it, both PEM in memory BIOs that the caller frees.
int copenssl_make_certificate(
    const copenssl_certificate_request *request, BIO *certificate, BIO *key);
/// Seconds since 1970 when the PEM certificate expires; -1 when it cannot be read.
int64_t copenssl_expiry(const char *pem, int length);
/// An HMAC whose key has been taken in: each message costs only itself. Null when out of memory; the
/// owner frees it. `copenssl_mac_tag` writes a tag of the digest's length.
HMAC_CTX *_Nullable copenssl_mac_new(const EVP_MD *digest, const uint8_t *key, int length);
int copenssl_mac_tag(HMAC_CTX *mac, const uint8_t *message, size_t length, uint8_t *tag);
void copenssl_mac_free(HMAC_CTX *_Nullable mac);

long copenssl_bio_bytes(BIO *bio, char *_Nullable *_Nonnull bytes);

EVP_PKEY *_Nullable copenssl_ed25519_new(void);
const EVP_MD *copenssl_sha256(void);
const EVP_MD *copenssl_sha512(void);
int copenssl_scrypt(
    const char *password, size_t password_length, const uint8_t *salt, size_t salt_length,
    uint64_t n, uint64_t r, uint64_t p, uint8_t *key, size_t key_length);
/// Empties this thread's error queue; the first entry's text is copied.
void copenssl_error(char *buffer, size_t capacity);

#pragma clang assume_nonnull end
