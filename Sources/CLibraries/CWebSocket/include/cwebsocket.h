// wslay's event API, and getrandom for the masks of a client.
#pragma once
#include <sys/random.h>
#include <wslay/wslay.h>
