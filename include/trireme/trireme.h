// All that a server needs, in one include.
#pragma once

#include "trireme/server.h"
#include "trireme/version.h"
