#include "cwebsocket.h"
