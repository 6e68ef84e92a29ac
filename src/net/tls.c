#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "diag/diag.h"

enum {
    FILES = 3,
    TICKET_KEYS_SIZE = 128, /* of OpenSSL's: 80 bytes in all its versions so far */
    TIME_SIZE = 32,
};

/* What a file is, as far as stat(2) tells: whether it has changed. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct tls {
    struct tls_options options;
    pthread_mutex_t lock;
    SSL_CTX *context;          /* under lock */
    struct diag_seldom failed; /* under lock */
    /* Of the thread that looks. */
    struct stamp stamps[FILES];  /* of the files in use */
    struct stamp refused[FILES]; /* of those that were of no use */
    unsigned refusals;           /* looks at the latter */
};

static const char *const settings[FILES] = {"TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"};

static const char *file_of(const struct tls_options *o, size_t which)
{
    const char *const files[FILES] = {o->cert_file, o->key_file, o->client_ca_file};

    return files[which];
}

/* ---- Reading files ---- */

/* OpenSSL's words for the last error of this thread, all of which are forgotten. */
static const char *last_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return reason ? reason : "unknown error";
}

static int fail_file(struct errbuf *err, const struct tls_options *o, size_t which,
                     const char *what)
{
    return errbuf_fail(err, LM_EINVAL, "%s: %s: %s", settings[which], file_of(o, which), what);
}

/* It is there, and small enough to be what it should. A pipe is not waited for. */
static int check_file(const struct tls_options *o, size_t which, struct errbuf *err)
{
    int fd = open(file_of(o, which), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int error = 0;

    if (fd < 0)
        return fail_file(err, o, which, strerror(errno));
    if (fstat(fd, &st) < 0)
        error = fail_file(err, o, which, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        error = fail_file(err, o, which, "is no ordinary file");
    else if (st.st_size > TLS_FILE_MAX)
        error = fail_file(err, o, which, "is larger than 1 MiB");
    close(fd);
    return error;
}

static bool is_missing_pem(unsigned long error)
{
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static int use_certificate(SSL_CTX *context, const struct tls_options *o, struct errbuf *err)
{
    int error = check_file(o, 0, err);

    if (error || SSL_CTX_use_certificate_chain_file(context, o->cert_file) == 1)
        return error;
    if (is_missing_pem(ERR_peek_error()))
        error =
            fail_file(err, o, 0, "has no certificate in PEM (-----BEGIN CERTIFICATE-----) in it");
    else
        error = fail_file(err, o, 0, last_reason());
    ERR_clear_error();
    return error;
}

static int no_passphrase(char *text, int size, int writes, void *ctx)
{
    *(bool *)ctx = true;
    return 0;
}

static int use_key(SSL_CTX *context, const struct tls_options *o, struct errbuf *err)
{
    bool is_encrypted = false;
    int error = check_file(o, 1, err);

    if (error)
        return error;
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &is_encrypted);
    int is_used = SSL_CTX_use_PrivateKey_file(context, o->key_file, SSL_FILETYPE_PEM);
    unsigned long reason = ERR_peek_error();
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    if (is_used == 1)
        return 0;
    if (is_encrypted)
        error = fail_file(err, o, 1, "its key has a passphrase; allowed: one without");
    else if (ERR_GET_LIB(reason) == ERR_LIB_X509 &&
             (ERR_GET_REASON(reason) == X509_R_KEY_VALUES_MISMATCH ||
              ERR_GET_REASON(reason) == X509_R_KEY_TYPE_MISMATCH))
        error = errbuf_fail(err, LM_EINVAL,
                            "TLS_KEY_FILE: %s: is not the key of the certificate in "
                            "TLS_CERT_FILE, %s",
                            o->key_file, o->cert_file);
    else if (ERR_GET_LIB(reason) == ERR_LIB_PEM || ERR_GET_LIB(reason) == ERR_LIB_OSSL_DECODER)
        error =
            fail_file(err, o, 1, "has no private key in PEM (-----BEGIN PRIVATE KEY-----) in it");
    else
        error = fail_file(err, o, 1, last_reason());
    ERR_clear_error();
    return error;
}

static int use_client_ca(SSL_CTX *context, const struct tls_options *o, struct errbuf *err)
{
    int error = check_file(o, 2, err);
    STACK_OF(X509_NAME) * names;

    if (error)
        return error;
    names = SSL_load_client_CA_file(o->client_ca_file);
    if (!names || SSL_CTX_load_verify_file(context, o->client_ca_file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        ERR_clear_error();
        return fail_file(err, o, 2,
                         "has no certificate in PEM (-----BEGIN CERTIFICATE-----) in it");
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(
        context,
        SSL_VERIFY_PEER | (o->clients_may_be_unknown ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT), NULL);
    SSL_CTX_set_verify_depth(context, TLS_CHAIN_MAX);
    return 0;
}

/* ---- The context ---- */

/* Clients that ask for an application protocol get the one that is there, or are refused. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
                           const unsigned char *offered, unsigned offered_len, void *ctx)
{
    static const unsigned char known[] = "\x08http/1.1";
    unsigned char *match = NULL;

    if (SSL_select_next_proto(&match, chosen_len, known, sizeof(known) - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = match;
    return SSL_TLSEXT_ERR_OK;
}

static int set_up(SSL_CTX *context, const struct tls_options *o, struct errbuf *err)
{
    static const unsigned char id[] = "logmill";
    int error;

    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets alone */
    SSL_CTX_set_timeout(context, TLS_TICKET_SECONDS);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    if (!SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") ||
        !SSL_CTX_set_session_id_context(context, id, sizeof(id) - 1))
        return errbuf_fail(err, LM_EUNAVAILABLE, "TLS: %s", last_reason());
    if ((error = use_certificate(context, o, err)) || (error = use_key(context, o, err)))
        return error;
    return o->client_ca_file ? use_client_ca(context, o, err) : 0;
}

/* NULL with `err` filled. */
static SSL_CTX *context_new(const struct tls_options *o, struct errbuf *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (!context) {
        errbuf_set(err, "TLS: %s", last_reason());
        return NULL;
    }
    if (set_up(context, o, err) == 0)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

/*
 * Sessions go on across a renewal. Not where clients are asked who they are: a ticket vouches for
 * its client, and what is new may be the authority that vouches for clients.
 */
static void keep_ticket_keys(const struct tls *tls, SSL_CTX *to)
{
    unsigned char keys[TICKET_KEYS_SIZE];
    long len = SSL_CTX_get_tlsext_ticket_keys(tls->context, NULL, 0);

    if (tls->options.client_ca_file || len <= 0 || (size_t)len > sizeof(keys))
        return;
    if (SSL_CTX_get_tlsext_ticket_keys(tls->context, keys, len) == 1)
        (void)SSL_CTX_set_tlsext_ticket_keys(to, keys, len);
    OPENSSL_cleanse(keys, sizeof(keys));
}

static void describe_time(const ASN1_TIME *time, char text[TIME_SIZE])
{
    struct tm tm = {0};

    if (ASN1_TIME_to_tm(time, &tm) != 1 ||
        strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(text, TIME_SIZE, "unknown");
}

/* What is in use from now on. An expired certificate is better than none: its clients decide. */
static void say_what_is_used(const struct tls_options *o, SSL_CTX *context)
{
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    const ASN1_TIME *begin = X509_get0_notBefore(certificate);
    const ASN1_TIME *end = X509_get0_notAfter(certificate);
    char from[TIME_SIZE], until[TIME_SIZE];

    describe_time(begin, from);
    describe_time(end, until);
    if (X509_cmp_current_time(end) < 0)
        diag(DIAG_WARN, "the certificate has expired", DIAG_STR("file", o->cert_file),
             DIAG_STR("valid_until", until));
    else if (X509_cmp_current_time(begin) > 0)
        diag(DIAG_WARN, "the certificate is not valid yet", DIAG_STR("file", o->cert_file),
             DIAG_STR("valid_from", from));
    else
        diag(DIAG_INFO, "the certificate is in use", DIAG_STR("file", o->cert_file),
             DIAG_STR("valid_until", until));
}

/* ---- Its life ---- */

static void stamp_all(const struct tls_options *o, struct stamp stamps[FILES])
{
    memset(stamps, 0, FILES * sizeof(*stamps));
    for (size_t i = 0; i < FILES; i++) {
        struct stat st;

        if (!file_of(o, i) || stat(file_of(o, i), &st) < 0)
            continue;
        stamps[i].device = st.st_dev;
        stamps[i].inode = st.st_ino;
        stamps[i].size = st.st_size;
        stamps[i].modified = st.st_mtim;
        stamps[i].changed = st.st_ctim;
    }
}

static bool are_alike(const struct stamp a[FILES], const struct stamp b[FILES])
{
    return memcmp(a, b, FILES * sizeof(*a)) == 0;
}

struct tls *tls_new(const struct tls_options *options, struct errbuf *err)
{
    struct tls *tls = xcalloc(1, sizeof(*tls));

    tls->options = *options;
    pthread_mutex_init(&tls->lock, NULL);
    stamp_all(options,
              tls->stamps); /* before they are read: what changes meanwhile is read again */
    tls->context = context_new(options, err);
    if (tls->context) {
        say_what_is_used(options, tls->context);
        return tls;
    }
    tls_free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

/* The files `now` are of no use. */
static void refuse(struct tls *tls, const struct stamp now[FILES], const char *why)
{
    if (!are_alike(now, tls->refused))
        tls->refusals = 0;
    memcpy(tls->refused, now, sizeof(tls->refused));
    if (++tls->refusals == TLS_DEFECTIVE_LOOKS)
        diag(DIAG_ERROR, "the new certificate is of no use; the one before stays in use",
             DIAG_STR("reason", why));
}

bool tls_look(struct tls *tls)
{
    struct errbuf err = ERRBUF_INIT;
    struct stamp now[FILES];

    stamp_all(&tls->options, now);
    if (are_alike(now, tls->stamps) ||
        (are_alike(now, tls->refused) && tls->refusals >= TLS_DEFECTIVE_LOOKS))
        return false;
    SSL_CTX *fresh = context_new(&tls->options, &err);
    if (!fresh) {
        refuse(tls, now, err.text);
        return false;
    }
    keep_ticket_keys(tls, fresh);
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *old = tls->context;
    tls->context = fresh;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old); /* its sockets have it still */
    memcpy(tls->stamps, now, sizeof(now));
    tls->refusals = 0;
    say_what_is_used(&tls->options, fresh);
    return true;
}

SSL_CTX *tls_context(struct tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *context = tls->context;
    SSL_CTX_up_ref(context);
    pthread_mutex_unlock(&tls->lock);
    return context;
}

/* ---- Clients ---- */

/* A copy of `text` if it is a name to be shown and compared: printable, and not too long. */
static char *name_of(const ASN1_STRING *text)
{
    unsigned char *utf8 = NULL;
    int len = text ? ASN1_STRING_to_UTF8(&utf8, text) : -1;
    bool is_good = len > 0 && len <= TLS_CLIENT_NAME_MAX;
    char *name = NULL;

    for (int i = 0; is_good && i < len; i++)
        is_good = utf8[i] >= ' ' && utf8[i] != 0x7f;
    if (is_good) {
        name = xcalloc(1, (size_t)len + 1);
        memcpy(name, utf8, (size_t)len);
    }
    OPENSSL_free(utf8);
    return name;
}

static char *alternative_name(const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char *name = NULL;

    for (int i = 0; !name && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

        if (n->type == GEN_DNS || n->type == GEN_URI || n->type == GEN_EMAIL)
            name = name_of(n->d.ia5);
    }
    GENERAL_NAMES_free(names);
    return name;
}

char *tls_client_name(SSL *ssl)
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    const X509_NAME *subject;
    char *name = NULL;
    int at;

    if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK)
        return NULL;
    subject = X509_get_subject_name(certificate);
    at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0)
        name = name_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    return name ? name : alternative_name(certificate);
}

void tls_tell_failure(struct tls *tls, unsigned long error)
{
    const char *reason = ERR_reason_error_string(error);
    int64_t unsaid = 0;

    pthread_mutex_lock(&tls->lock);
    bool may_say = diag_may_say(&tls->failed, clock_monotonic_us(), &unsaid);
    pthread_mutex_unlock(&tls->lock);
    if (may_say)
        diag(DIAG_INFO, "a TLS handshake has failed",
             DIAG_STR("reason", reason ? reason : "the client has closed the connection"),
             DIAG_INT("unsaid", unsaid));
}
