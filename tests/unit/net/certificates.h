/* Certificates for tests, made anew each time. */
#ifndef LOGMILL_TESTS_NET_CERTIFICATES_H
#define LOGMILL_TESTS_NET_CERTIFICATES_H

#include <openssl/ssl.h>

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

struct identity_options {
    const char *common_name;       /* NULL: none */
    const char *other_names;       /* "DNS:a,URI:b"; NULL: none */
    const struct identity *issuer; /* NULL: itself, and it may vouch for others */
    long from_s, until_s;          /* from now; both 0: an hour before and after */
};

/* Ends the process if it cannot be made. identity_release it. */
struct identity identity_make(const struct identity_options *options);
void identity_release(struct identity *i);

/* Each writes a file in PEM; NULL writes none. */
void identity_write(const struct identity *i, const char *certificate_file, const char *key_file);

#endif
