// wslay's event API.
#pragma once
#include <wslay/wslay.h>
