/* Words for the errors, and errno folded into the few that we tell apart. */
#include "base/err.h"

#include <errno.h>

static const char *const texts[ERR_COUNT] = {
    [ERR_OK] = "ok",
    [ERR_AGAIN] = "would block",
    [ERR_EOF] = "connection closed by peer",
    [ERR_RESET] = "connection reset by peer",
    [ERR_REFUSED] = "connection refused",
    [ERR_UNREACHABLE] = "host or network unreachable",
    [ERR_TIMEOUT] = "timed out",
    [ERR_INVALID] = "invalid data",
    [ERR_TOO_LARGE] = "too large",
    [ERR_NO_MEMORY] = "out of memory",
    [ERR_NO_FDS] = "out of file descriptors",
    [ERR_IN_USE] = "address already in use",
    [ERR_DENIED] = "permission denied",
    [ERR_NOT_FOUND] = "not found",
    [ERR_CANCELLED] = "cancelled",
    [ERR_UNSUPPORTED] = "not supported",
    [ERR_NO_SPACE] = "no space left",
    [ERR_IO] = "input/output error",
};

const char *err_text(enum err e)
{
    return (unsigned)e < ERR_COUNT ? texts[e] : "unknown error";
}

enum err err_from_errno(int number)
{
    switch (number) {
    case 0:
        return ERR_OK;
    case EAGAIN:
    case EINPROGRESS:
        return ERR_AGAIN;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
    case ENOTCONN:
        return ERR_RESET;
    case ECONNREFUSED:
        return ERR_REFUSED;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case EADDRNOTAVAIL:
        return ERR_UNREACHABLE;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case ENOMEM:
    case ENOBUFS:
        return ERR_NO_MEMORY;
    case EMFILE:
    case ENFILE:
        return ERR_NO_FDS;
    case EADDRINUSE:
        return ERR_IN_USE;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ECANCELED:
        return ERR_CANCELLED;
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EOPNOTSUPP:
    case ENOSYS:
        return ERR_UNSUPPORTED;
    default:
        return ERR_IO;
    }
}
