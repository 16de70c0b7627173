#!/bin/bash
# The suites of integration_tests that run once more over TLS (TRIREME_TEST_TLS=1), as a filter of
# GoogleTest: drain, slow readers, resets, half-close, a change of the codec. Not what counts bytes
# of the socket, or cuts them one by one, which is a handshake each.
#
#   tests/tls/suites.sh [--smoke]   --smoke: some, with one setup each
if [[ ${1-} == --smoke ]]; then
  tests=(DrainTest.UnderLoad ResetTest.HandlerRunning ResetTest.ReplyHalfWritten
    'SessionHalvesTest.*' PushTest.LeavesBeforeTheReplyOfItsHandler)
  printf '*/%s/AdaptiveLevel4:' "${tests[@]}"
  printf '\n'
else
  suites=(DrainTest ResetTest SessionHalvesTest PushTest HandlerTest)
  printf '*/%s.*:' "${suites[@]}"
  printf -- '-*/ResetTest.MidFrame/*\n'
fi
