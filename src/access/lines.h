/* Lines that answers have for the sake of who may see them. Internal to access/. */
#ifndef LOGMILL_ACCESS_LINES_H
#define LOGMILL_ACCESS_LINES_H

/* What no browser is to guess at; and pages of others must not even embed. */
#define NOSNIFF "X-Content-Type-Options: nosniff\r\n"
#define SAME_ORIGIN NOSNIFF "Cross-Origin-Resource-Policy: same-origin\r\n"
/* Of what was asked for by a cookie: a cache on the way cannot know that it is not for all. */
#define NO_STORE "Cache-Control: no-store\r\n"
/* No two origins share a cached answer. */
#define VARY "Vary: Origin\r\n"
/* RFC 9110, 11.6.1. Of Basic, programs take the key as the password. */
#define CHALLENGE                                                                                  \
    "WWW-Authenticate: Bearer realm=\"logmill\", Basic realm=\"logmill\", charset=\"UTF-8\"\r\n"
/* To a browser, which would do so before our page can. */
#define BROWSER_CHALLENGE "WWW-Authenticate: Bearer realm=\"logmill\"\r\n"
/* Of 429: when to come again. */
#define SOON "Retry-After: 1\r\n"
#define LATER "Retry-After: 60\r\n" /* GUESSES_WINDOW_S */

#endif
