// OpenSSL 3 would rather see EVP_MAC, which fetches and copies by name for each message; the
// HMAC_CTX behind it is still there and keeps the state after the key (RFC 2104, section 4).
#define OPENSSL_SUPPRESS_DEPRECATED
#include "copenssl.h"

HMAC_CTX *copenssl_mac_new(const EVP_MD *digest, const uint8_t *key, int length) {
  HMAC_CTX *mac = HMAC_CTX_new();
  if (mac && HMAC_Init_ex(mac, key, length, digest, NULL) != 1) {
    HMAC_CTX_free(mac);
    return NULL;
  }
  return mac;
}

int copenssl_mac_tag(HMAC_CTX *mac, const uint8_t *message, size_t length, uint8_t *tag) {
  unsigned int count = 0;
  return HMAC_Init_ex(mac, NULL, 0, NULL, NULL) == 1 && HMAC_Update(mac, message, length) == 1 &&
         HMAC_Final(mac, tag, &count) == 1;
}

void copenssl_mac_free(HMAC_CTX *mac) { HMAC_CTX_free(mac); }
