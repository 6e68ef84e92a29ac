#include "certificates.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { HOUR_S = 3600 };

static void must(int ok)
{
    if (!ok)
        abort();
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must(extension && X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

struct identity identity_make(const struct identity_options *o)
{
    static long serial = 1;
    struct identity i = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
    const struct identity *issuer = o->issuer ? o->issuer : &i;
    long from_s = o->from_s || o->until_s ? o->from_s : -HOUR_S;
    long until_s = o->from_s || o->until_s ? o->until_s : HOUR_S;
    X509_NAME *name;

    must(i.key && i.certificate);
    name = X509_get_subject_name(i.certificate);
    X509_set_version(i.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(i.certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(i.certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(i.certificate), until_s);
    X509_set_pubkey(i.certificate, i.key);
    if (o->common_name)
        must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                        (const unsigned char *)o->common_name, -1, -1, 0));
    must(X509_set_issuer_name(i.certificate, X509_get_subject_name(issuer->certificate)));
    if (!o->issuer)
        add_extension(i.certificate, NID_basic_constraints, "critical,CA:TRUE");
    if (o->other_names)
        add_extension(i.certificate, NID_subject_alt_name, o->other_names);
    must(X509_sign(i.certificate, issuer->key, EVP_sha256()) > 0);
    return i;
}

void identity_release(struct identity *i)
{
    EVP_PKEY_free(i->key);
    X509_free(i->certificate);
}

void identity_write(const struct identity *i, const char *certificate_file, const char *key_file)
{
    FILE *file;

    if (certificate_file) {
        must((file = fopen(certificate_file, "we")) && PEM_write_X509(file, i->certificate));
        fclose(file);
    }
    if (key_file) {
        must((file = fopen(key_file, "we")) &&
             PEM_write_PrivateKey(file, i->key, NULL, NULL, 0, NULL, NULL));
        fclose(file);
    }
}
