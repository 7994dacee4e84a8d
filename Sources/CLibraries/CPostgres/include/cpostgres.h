// libpq, which is loaded by its first call: see cpostgres.c.
#pragma once
#include <postgresql/libpq-fe.h>
