// The peer Netty: a pipeline each connection, one boss and `--threads` workers; the native epoll
// transport where the package has its library, else NIO. With `--pool` the handler of lines runs in
// an EventExecutorGroup of that many threads.
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.DefaultEventExecutorGroup;
import io.netty.util.concurrent.EventExecutorGroup;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

public final class PeerNetty {
  private static final int ID_MAX = 64;
  private static final int LINE_MAX = 4096;
  private static final int MICROSECONDS_MAX = 60_000_000;
  private static final int BACKLOG = 4096;
  private static final byte[] ERROR = "ERR malformed line\n".getBytes(StandardCharsets.US_ASCII);

  /** Half-close, back-pressure and errors, the same for both services. */
  private abstract static class Service extends ChannelInboundHandlerAdapter {
    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      context.flush();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      context.channel().config().setAutoRead(context.channel().isWritable());
      context.fireChannelWritabilityChanged();
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof ChannelInputShutdownEvent) {
        context.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      if (!(cause instanceof java.io.IOException) && !(cause instanceof TooLongFrameException)) {
        cause.printStackTrace();
      }
      context.close();
    }
  }

  private static final class Echo extends Service {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      context.write(message);
    }
  }

  private static final class Delay extends Service {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ByteBuf line = (ByteBuf) message;
      try {
        context.write(answer(context, line));
      } finally {
        ReferenceCountUtil.release(line);
      }
    }

    private static ByteBuf answer(ChannelHandlerContext context, ByteBuf line) {
      int start = line.readerIndex();
      int space = line.bytesBefore((byte) ' ');
      long microseconds = space < 1 || space > ID_MAX ? -1 : duration(line, start + space + 1);
      if (microseconds < 0 || line.indexOf(start, start + space, (byte) '\t') >= 0) {
        return Unpooled.wrappedBuffer(ERROR);
      }
      if (microseconds > 0) {
        sleep(microseconds);
      }
      ByteBuf reply = context.alloc().buffer(space + 1);
      return reply.writeBytes(line, start, space).writeByte('\n');
    }

    private static long duration(ByteBuf line, int index) {
      long value = index < line.writerIndex() ? 0 : -1;
      for (; value >= 0 && index < line.writerIndex(); ++index) {
        int digit = line.getByte(index) - '0';
        value = digit < 0 || digit > 9 ? -1 : value * 10 + digit;
        if (value > MICROSECONDS_MAX) {
          value = -1;
        }
      }
      return value;
    }

    private static void sleep(long microseconds) {
      long end = System.nanoTime() + TimeUnit.MICROSECONDS.toNanos(microseconds);
      for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
        LockSupport.parkNanos(left);
      }
    }
  }

  private static int count(String text, int min) {
    int value = Integer.parseInt(text);
    if (value < min) {
      throw new IllegalArgumentException(text);
    }
    return value;
  }

  private static ChannelInitializer<SocketChannel> pipeline(boolean delay, int pool) {
    EventExecutorGroup executors = pool > 0 ? new DefaultEventExecutorGroup(pool) : null;
    return new ChannelInitializer<SocketChannel>() {
      @Override
      public void initChannel(SocketChannel channel) {
        if (!delay) {
          channel.pipeline().addLast(new Echo());
          return;
        }
        // Strip the newline only: a carriage return belongs to the line, as in the other servers.
        channel.pipeline().addLast(new LineBasedFrameDecoder(LINE_MAX));
        channel.pipeline().addLast(executors, new Delay());
      }
    };
  }

  public static void main(String[] words) throws Exception {
    boolean delay = false;
    int threads = 1;
    int pool = 0;
    try {
      delay = words[0].equals("delay");
      if (!delay && !words[0].equals("echo")) {
        throw new IllegalArgumentException(words[0]);
      }
      for (int i = 1; i < words.length; i += 2) {
        switch (words[i]) {
          case "--threads" -> threads = count(words[i + 1], 1);
          case "--pool" -> pool = count(words[i + 1], 0);
          default -> throw new IllegalArgumentException(words[i]);
        }
      }
    } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException mistake) {
      System.err.println("usage: peer_netty echo|delay [--threads N] [--pool N]");
      System.exit(2);
    }
    boolean epoll = Epoll.isAvailable();
    EventLoopGroup boss = epoll ? new EpollEventLoopGroup(1) : new NioEventLoopGroup(1);
    EventLoopGroup workers = epoll ? new EpollEventLoopGroup(threads) : new NioEventLoopGroup(threads);
    Class<? extends ServerChannel> kind =
        epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
    InetSocketAddress address =
        (InetSocketAddress)
            new ServerBootstrap()
                .group(boss, workers)
                .channel(kind)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(pipeline(delay, pool))
                .bind("127.0.0.1", 0)
                .sync()
                .channel()
                .localAddress();
    System.err.println("peer_netty: transport " + (epoll ? "epoll" : "NIO"));
    System.out.println("listening on tcp://127.0.0.1:" + address.getPort());
    System.out.flush();
  }
}
