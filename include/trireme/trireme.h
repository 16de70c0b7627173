// All that a server needs, in one include.
#pragma once

#include "trireme/codecs.h"
#include "trireme/server.h"
#include "trireme/version.h"
