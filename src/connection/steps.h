// The steps of requests in one loop: each is a class that owns its part, and here they are
// connected.
//
// Steps 2 to 6. Thread: the holder of the loop. A step is given the others that it uses, by name:
// what a class can reach is in its constructor.
//
//   Receiver --> Dispatcher --> (a handler runs) --> Finisher --> Replies --> Sender --> driver
//       |            |                                  |            |           |
//       |    |       '-- Placer, JobPool, JobsOut ------'            '-- Pushes -'
//       |    '-- Strand: timers and calls of sessions
//       '-- Layers, Turn, InputBlocks, CheckedDecoder, ObjectDecoding, Bodies
//   Framer: for Replies and Pushes   Ending and Clocks: all along; FastPath: all in one
#pragma once

#include "connection/cancels.h"
#include "connection/clocks.h"
#include "connection/dispatcher.h"
#include "connection/ending.h"
#include "connection/fast_path.h"
#include "connection/finisher.h"
#include "connection/input_blocks.h"
#include "connection/layers.h"
#include "connection/object_decoding.h"
#include "connection/pushes.h"
#include "connection/receiver.h"
#include "connection/replies.h"
#include "connection/sender.h"
#include "connection/slots.h"
#include "connection/strand.h"
#include "connection/turn.h"
#include "handling/job_pool.h"
#include "handling/jobs_out.h"
#include "handling/placer.h"

namespace trireme { inline namespace v0 {

struct Steps {
  Steps(ServerContext& context, EventLoop& loop, HeldLoop& held)
      : slots(context, loop),
        input_blocks(context.buffers),
        placer(held, loop.driver_traits()),
        pool(context.buffers),
        dispatcher(context, loop, placer, pool, out, sender, ending),
        sender(context, loop, loop.driver_traits(), turn, ending, clocks),
        pushes({context, loop, slots, turn, sender, replies, ending, clocks}),
        replies(context, loop, turn, sender, ending, finisher, cancels, layers),
        ending(context, loop, slots, turn, sender, clocks, finisher, strand, cancels, layers),
        cancels(context, loop, turn, dispatcher),
        strand({context, loop, slots, turn, dispatcher, ending}),
        clocks(context, loop, turn, receiver, sender, replies, ending),
        finisher({context, loop, context.books(loop.index()), placer, out, input_blocks, slots,
                  turn, dispatcher, sender, pushes, replies, ending, strand, cancels, objects}),
        fast_path({context, loop, context.books(loop.index()), placer, pool, out, turn, dispatcher,
                   sender, replies}),
        layers({context, loop, context.books(loop.index()), turn, sender, pushes, ending, clocks}),
        objects({context, context.books(loop.index()), turn, pushes, replies, ending, clocks,
                 strand, dispatcher, receiver}),
        receiver({context, loop, context.books(loop.index()), held, input_blocks, turn, dispatcher,
                  sender, replies, ending, strand, cancels, clocks, fast_path, layers, objects}) {}
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;

  Turn turn;
  Slots slots;
  InputBlocks input_blocks;
  Placer placer;
  JobPool pool;
  JobsOut out;
  Dispatcher dispatcher;
  Sender sender;
  Pushes pushes;
  Replies replies;
  Ending ending;
  Cancels cancels;
  Strand strand;
  Clocks clocks;
  Finisher finisher;
  FastPath fast_path;
  Layers layers;
  ObjectDecoding objects;
  Receiver receiver;
};

}}  // namespace trireme
