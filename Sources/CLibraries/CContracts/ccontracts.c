#include "ccontracts.h"
