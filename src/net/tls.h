/*
 * What all TLS sockets (net/tls_transport.h) of a process have in common: certificates, keys, what
 * is allowed. By OpenSSL, the server's side of TLS 1.2 and 1.3. The
 * application protocol is http/1.1, for those that ask for one (ALPN). There is neither
 * renegotiation nor compression nor early data. Sessions are resumed by tickets, which their
 * clients keep, so that none of them costs memory here.
 *
 * The certificate and its key are files, which are read again when they have changed (tls_look):
 * new connections have the new pair, those that are open go on.
 *
 * Nothing of OpenSSL is loaded before tls_new.
 */
#ifndef LOGMILL_NET_TLS_H
#define LOGMILL_NET_TLS_H

#include <stdbool.h>

#include <openssl/types.h>

#include "base/errbuf.h"

enum {
    TLS_TICKET_SECONDS = 7200, /* in which a session can be resumed */
    TLS_CHAIN_MAX = 8,         /* certificates between a client's and its authority */
    TLS_CLIENT_NAME_MAX = 255, /* bytes; of a longer one nobody is told */
    TLS_FILE_MAX = 1 << 20,    /* bytes of a file of certificates or a key */
    TLS_DEFECTIVE_LOOKS = 2,   /* in which new files are alike and useless before that is said */
};

struct tls_options {
    const char *cert_file; /* PEM: the server's certificate, then those between it and the root */
    const char *key_file;  /* PEM, without a passphrase */
    const char *client_ca_file;  /* PEM: who vouches for clients; NULL: clients are not asked */
    bool clients_may_be_unknown; /* a client without a certificate is let in, with no name */
};

struct tls;

/*
 * Reads the files, whose names must outlive it. NULL with `err` filled, which names the setting
 * (TLS_CERT_FILE, …), the file and what is wrong with it.
 */
struct tls *tls_new(const struct tls_options *options, struct errbuf *err);

/*
 * Reads the files again if they are not what they were; to be called now and then, by one thread.
 * If the new ones are of no use, the old ones stay in use, and a diagnostic says why: not before a
 * second look, since files may have been half written. True: new ones are in use.
 */
bool tls_look(struct tls *tls);

/* ---- For the sockets; from any thread ---- */

/* The context for a new one; SSL_CTX_free it. */
SSL_CTX *tls_context(struct tls *tls);

/*
 * Whom a client has proven to be: the common name of its certificate's subject; without one, the
 * first name of a host, a URI or an address of mail that it is valid for. NULL: it has none, or
 * none of printable characters. To be freed.
 */
char *tls_client_name(SSL *ssl);

/* Says, not too often, that a handshake has failed by `error` (ERR_peek_error). */
void tls_tell_failure(struct tls *tls, unsigned long error);

/* After the last of its sockets. NULL does nothing. */
void tls_free(struct tls *tls);

#endif
