/*
 * The error codes of logmill. Functions return 0 or one of these negative codes; the human detail
 * goes into a `struct errbuf` that the caller passes (see errbuf.h).
 */
#ifndef LOGMILL_BASE_ERROR_H
#define LOGMILL_BASE_ERROR_H

#define LM_ERRORS(X)                                                                               \
    X(LM_ENOMEM, -1, "out of memory")                                                              \
    X(LM_EINVAL, -2, "invalid value")                                                              \
    X(LM_ETOOBIG, -3, "larger than the limit")                                                     \
    X(LM_EIO, -4, "input/output error")                                                            \
    X(LM_EFULL, -5, "no space left")                                                               \
    X(LM_EBUSY, -6, "busy")                                                                        \
    X(LM_EUNAVAILABLE, -7, "unavailable")                                                          \
    X(LM_EDATA, -8, "refused because of the data itself")                                          \
    X(LM_ENOTFOUND, -9, "not found")                                                               \
    X(LM_ETIMEOUT, -10, "timed out")                                                               \
    X(LM_ELOCKED, -11, "in use by another process")                                                \
    X(LM_ESTOPPED, -12, "stopping")

enum lm_error {
#define LM_ERROR_ENUM(name, value, text) name = value,
    LM_ERRORS(LM_ERROR_ENUM)
#undef LM_ERROR_ENUM
};

/* A result that must be looked at. */
#define LM_MUST_CHECK __attribute__((warn_unused_result))
/* A printf-like function: `fmt` and `args` are the 1-based positions of its format and arguments.
 */
#define LM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* The text of `error`, an LM_E… code ("success" for 0). Static; never NULL. */
const char *lm_error_text(int error);

#endif
