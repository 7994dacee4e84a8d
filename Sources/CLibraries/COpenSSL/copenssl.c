#include "copenssl.h"
#include <string.h>
#include <time.h>

SSL_CTX *copenssl_context_new(int is_server) {
  SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
  if (!context) return NULL;
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  // The cheapest first; all three are sound.
  SSL_CTX_set_ciphersuites(
      context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
  // Elliptic curves only: the finite fields that OpenSSL offers as well cost a server nine times as much.
  SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  // No 0-RTT: what arrives in it could be replayed (RFC 8446, section 8).
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_timeout(context, COPENSSL_TICKET_SECONDS);
  if (is_server) {
    static const unsigned char name[] = "shrivenquant";
    SSL_CTX_set_session_id_context(context, name, sizeof name - 1);
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    // A ticket carries its session; nothing is kept here.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  } else {
    SSL_CTX_set_session_cache_mode(
        context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  }
  return context;
}

static const unsigned char alpn_h2[] = "\x02h2";
static const unsigned char alpn_http11[] = "\x08http/1.1";
static const unsigned char alpn_both[] = "\x02h2\x08http/1.1";

static const unsigned char *alpn_list(int protocols, unsigned *length) {
  switch (protocols) {
    case COPENSSL_ALPN_H2: *length = sizeof alpn_h2 - 1; return alpn_h2;
    case COPENSSL_ALPN_HTTP11: *length = sizeof alpn_http11 - 1; return alpn_http11;
    default: *length = sizeof alpn_both - 1; return alpn_both;
  }
}

static int select_alpn(
    SSL *session, const unsigned char **out, unsigned char *out_length, const unsigned char *offered,
    unsigned offered_length, void *argument) {
  (void)session;
  unsigned length;
  const unsigned char *ours = alpn_list((int)(intptr_t)argument, &length);
  int found = SSL_select_next_proto(
      (unsigned char **)out, out_length, ours, length, offered, offered_length);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int copenssl_set_alpn(SSL_CTX *context, int is_server, int protocols) {
  if (is_server) {
    SSL_CTX_set_alpn_select_cb(context, select_alpn, (void *)(intptr_t)protocols);
    return 1;
  }
  unsigned length;
  const unsigned char *list = alpn_list(protocols, &length);
  return SSL_CTX_set_alpn_protos(context, list, length) == 0;
}

int copenssl_use_chain(SSL_CTX *context, const char *pem, int length) {
  BIO *bio = BIO_new_mem_buf(pem, length);
  if (!bio) return 0;
  X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  int ok = leaf && SSL_CTX_use_certificate(context, leaf) == 1;
  X509_free(leaf);
  X509 *next;
  while (ok && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
    ok = SSL_CTX_add0_chain_cert(context, next) == 1;
    if (!ok) X509_free(next);
  }
  if (ok) ERR_clear_error();  // the end of the text is reported as an error
  BIO_free(bio);
  return ok;
}

int copenssl_use_key(SSL_CTX *context, const char *pem, int length) {
  BIO *bio = BIO_new_mem_buf(pem, length);
  if (!bio) return 0;
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  int ok = key && SSL_CTX_use_PrivateKey(context, key) == 1 &&
           SSL_CTX_check_private_key(context) == 1;
  EVP_PKEY_free(key);
  BIO_free(bio);
  return ok;
}

int copenssl_trust(SSL_CTX *context, const char *pem, int length, int name_to_clients) {
  BIO *bio = BIO_new_mem_buf(pem, length);
  if (!bio) return 0;
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  int count = 0;
  X509 *authority;
  while ((authority = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
    if (X509_STORE_add_cert(store, authority) == 1) count++;
    if (name_to_clients) SSL_CTX_add_client_CA(context, authority);
    X509_free(authority);
  }
  if (count) ERR_clear_error();
  BIO_free(bio);
  return count > 0;
}

void copenssl_verify_clients(SSL_CTX *context, int demand) {
  int mode = demand == 0   ? SSL_VERIFY_NONE
             : demand == 1 ? SSL_VERIFY_PEER
                           : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, mode, NULL);
}

static void count_key_update(
    int is_written, int version, int type, const void *bytes, size_t length, SSL *session,
    void *count) {
  (void)version;
  (void)session;
  if (is_written || type != SSL3_RT_HANDSHAKE || length == 0) return;
  if (*(const unsigned char *)bytes == SSL3_MT_KEY_UPDATE) ++*(int32_t *)count;
}

void copenssl_count_key_updates(SSL *session, int32_t *count) {
  SSL_set_msg_callback(session, count_key_update);
  SSL_set_msg_callback_arg(session, count);
}

int copenssl_expect_host(SSL *session, const char *host, int is_address) {
  SSL_set_verify(session, SSL_VERIFY_PEER, NULL);
  if (is_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host);
  SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(session, host) && SSL_set_tlsext_host_name(session, host);
}

int copenssl_peer_is_current(const SSL *session) {
  X509 *certificate = SSL_get0_peer_certificate(session);
  return !certificate || (X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 &&
                          X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0);
}

int copenssl_peer_uri(SSL *session, const char *prefix, char *buffer, int capacity) {
  X509 *certificate = SSL_get0_peer_certificate(session);
  if (!certificate) return -1;
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  int found = -1;
  size_t prefix_length = strlen(prefix);
  for (int i = 0; found < 0 && i < sk_GENERAL_NAME_num(names); i++) {
    GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI) continue;
    const unsigned char *text = ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
    int length = ASN1_STRING_length(name->d.uniformResourceIdentifier);
    if (length < (int)prefix_length || memcmp(text, prefix, prefix_length) != 0) continue;
    length -= (int)prefix_length;
    if (length > capacity || memchr(text, 0, (size_t)length + prefix_length)) continue;
    memcpy(buffer, text + prefix_length, (size_t)length);
    found = length;
  }
  GENERAL_NAMES_free(names);
  return found;
}

static int add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  if (!extension) return 0;
  int ok = X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return ok;
}

static X509 *read_certificate(const char *pem) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
  BIO_free(bio);
  return certificate;
}

static EVP_PKEY *read_key(const char *pem) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
  BIO_free(bio);
  return key;
}

static int set_subject(X509 *certificate, const char *common_name) {
  X509_NAME *name = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(
             name, "O", MBSTRING_UTF8, (const unsigned char *)"ShrivenQuant", -1, -1, 0) &&
         X509_NAME_add_entry_by_txt(
             name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0);
}

static int set_serial(X509 *certificate) {
  BIGNUM *number = BN_new();
  int ok = number && BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
           BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
  BN_free(number);
  return ok;
}

static int add_extensions(
    X509 *certificate, X509 *issuer, const copenssl_certificate_request *request) {
  int ok = add_extension(
      certificate, issuer, NID_basic_constraints,
      request->is_authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE");
  ok = ok && add_extension(
                 certificate, issuer, NID_key_usage,
                 request->is_authority ? "critical,keyCertSign,cRLSign"
                                       : "critical,digitalSignature");
  if (!request->is_authority)
    ok = ok && add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  ok = ok && add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
  ok = ok && add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
  if (request->alternative_names)
    ok = ok && add_extension(
                   certificate, issuer, NID_subject_alt_name, request->alternative_names);
  return ok;
}

int copenssl_make_certificate(
    const copenssl_certificate_request *request, BIO *certificate_pem, BIO *key_pem) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  X509 *issuer = request->issuer_certificate ? read_certificate(request->issuer_certificate) : NULL;
  EVP_PKEY *issuer_key = request->issuer_key ? read_key(request->issuer_key) : NULL;
  int ok = key && certificate && (!request->issuer_certificate || (issuer && issuer_key));
  ok = ok && X509_set_version(certificate, 2) && set_serial(certificate);
  ok = ok && ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)request->not_before);
  ok = ok && ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)request->not_after);
  ok = ok && set_subject(certificate, request->common_name);
  ok = ok && X509_set_issuer_name(
                 certificate, X509_get_subject_name(issuer ? issuer : certificate));
  ok = ok && X509_set_pubkey(certificate, key);
  ok = ok && add_extensions(certificate, issuer ? issuer : certificate, request);
  ok = ok && X509_sign(certificate, issuer_key ? issuer_key : key, EVP_sha256());
  ok = ok && PEM_write_bio_X509(certificate_pem, certificate);
  ok = ok && PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL);
  EVP_PKEY_free(issuer_key);
  X509_free(issuer);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return ok;
}

int64_t copenssl_expiry(const char *pem, int length) {
  BIO *bio = BIO_new_mem_buf(pem, length);
  X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
  BIO_free(bio);
  if (!certificate) return -1;
  struct tm parts;
  int ok = ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts);
  X509_free(certificate);
  return ok ? (int64_t)timegm(&parts) : -1;
}

long copenssl_bio_bytes(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }

EVP_PKEY *copenssl_ed25519_new(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); }

const EVP_MD *copenssl_sha256(void) { return EVP_sha256(); }
const EVP_MD *copenssl_sha512(void) { return EVP_sha512(); }

int copenssl_scrypt(
    const char *password, size_t password_length, const uint8_t *salt, size_t salt_length,
    uint64_t n, uint64_t r, uint64_t p, uint8_t *key, size_t key_length) {
  uint64_t memory = 128 * n * r + 128 * r * p + (1 << 20);
  return EVP_PBE_scrypt(
      password, password_length, salt, salt_length, n, r, p, memory, key, key_length);
}

void copenssl_error(char *buffer, size_t capacity) {
  unsigned long code = ERR_get_error();
  if (code) ERR_error_string_n(code, buffer, capacity);
  else if (capacity) buffer[0] = 0;
  ERR_clear_error();
}
