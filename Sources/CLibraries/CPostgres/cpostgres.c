// libpq brings Kerberos, LDAP and GnuTLS along. A service without a database would carry them for
// nothing, so that each function of libpq is found by its first call instead of at the start.
#include "cpostgres.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *found(const char *name) {
  void *library = dlopen("libpq.so.5", RTLD_LAZY | RTLD_LOCAL);
  void *function = library ? dlsym(library, name) : 0;
  if (!function) {
    fprintf(stderr, "libpq cannot be used: %s\n", dlerror());
    abort();
  }
  return function;
}

#define FORWARD(RESULT, NAME, PARAMETERS, ARGUMENTS) \
  RESULT NAME PARAMETERS { \
    static typeof(NAME) *known; \
    typeof(NAME) *function = __atomic_load_n(&known, __ATOMIC_ACQUIRE); \
    if (!function) { \
      function = found(#NAME); \
      __atomic_store_n(&known, function, __ATOMIC_RELEASE); \
    } \
    return function ARGUMENTS; \
  }

#define OF_CONNECTION(RESULT, NAME) FORWARD(RESULT, NAME, (PGconn *c), (c))
#define OF_CONSTANT_CONNECTION(RESULT, NAME) FORWARD(RESULT, NAME, (const PGconn *c), (c))
#define OF_CONSTANT_RESULT(RESULT, NAME) FORWARD(RESULT, NAME, (const PGresult *r), (r))

FORWARD(PGconn *, PQconnectdb, (const char *url), (url))
FORWARD(
    PGconn *, PQconnectStartParams,
    (const char *const *names, const char *const *values, int expands), (names, values, expands))
OF_CONNECTION(PostgresPollingStatusType, PQconnectPoll)
OF_CONNECTION(void, PQfinish)
OF_CONSTANT_CONNECTION(ConnStatusType, PQstatus)
OF_CONSTANT_CONNECTION(PGTransactionStatusType, PQtransactionStatus)
OF_CONSTANT_CONNECTION(char *, PQerrorMessage)
OF_CONSTANT_CONNECTION(int, PQsocket)
FORWARD(int, PQsetnonblocking, (PGconn *c, int is), (c, is))
FORWARD(
    PQnoticeProcessor, PQsetNoticeProcessor, (PGconn *c, PQnoticeProcessor hearer, void *owner),
    (c, hearer, owner))

OF_CONNECTION(int, PQenterPipelineMode)
OF_CONNECTION(int, PQexitPipelineMode)
OF_CONNECTION(int, PQpipelineSync)
FORWARD(PGresult *, PQexec, (PGconn *c, const char *sql), (c, sql))
FORWARD(int, PQsendQuery, (PGconn *c, const char *sql), (c, sql))
FORWARD(
    int, PQsendQueryParams,
    (PGconn *c, const char *sql, int count, const Oid *types, const char *const *values,
     const int *lengths, const int *formats, int format),
    (c, sql, count, types, values, lengths, formats, format))
OF_CONNECTION(int, PQflush)
OF_CONNECTION(int, PQconsumeInput)
OF_CONNECTION(int, PQisBusy)
OF_CONNECTION(PGresult *, PQgetResult)

OF_CONSTANT_RESULT(ExecStatusType, PQresultStatus)
FORWARD(char *, PQresultErrorField, (const PGresult *r, int field), (r, field))
OF_CONSTANT_RESULT(int, PQntuples)
OF_CONSTANT_RESULT(int, PQnfields)
FORWARD(char *, PQfname, (const PGresult *r, int field), (r, field))
FORWARD(int, PQgetisnull, (const PGresult *r, int row, int field), (r, row, field))
FORWARD(char *, PQgetvalue, (const PGresult *r, int row, int field), (r, row, field))
FORWARD(char *, PQcmdStatus, (PGresult *r), (r))
FORWARD(char *, PQcmdTuples, (PGresult *r), (r))
FORWARD(void, PQclear, (PGresult *r), (r))
