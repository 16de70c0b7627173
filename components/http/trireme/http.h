// The component http: HTTP/1.1 servers on routes. Start with trireme/http/routes.h.
#pragma once

#include "trireme/http/conditions.h"    // IWYU pragma: export
#include "trireme/http/event_stream.h"  // IWYU pragma: export
#include "trireme/http/files.h"         // IWYU pragma: export
#include "trireme/http/middleware.h"    // IWYU pragma: export
#include "trireme/http/request.h"       // IWYU pragma: export
#include "trireme/http/response.h"      // IWYU pragma: export
#include "trireme/http/routes.h"        // IWYU pragma: export
#include "trireme/http/serve.h"         // IWYU pragma: export
#include "trireme/http/websocket.h"     // IWYU pragma: export
