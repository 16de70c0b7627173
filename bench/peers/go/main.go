// The peer Go: a goroutine each connection, bufio, the net package's poller underneath. `--threads`
// is GOMAXPROCS. `delay` sleeps by nanosleep, which holds a thread as a blocking call of C does;
// `--pool N` lets N of them block at once; 0 sleeps by time.Sleep, which parks the goroutine and
// holds no thread.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const (
	idMax           = 64
	lineMax         = 4096
	microsecondsMax = 60000000
	echoBytes       = 32 * 1024
)

var errorReply = []byte("ERR malformed line\n")

// Places for handlers that block; nil without a pool.
var places chan struct{}

func sleep(microseconds int64) {
	if places == nil {
		time.Sleep(time.Duration(microseconds) * time.Microsecond)
		return
	}
	places <- struct{}{}
	left := syscall.NsecToTimespec(microseconds * 1000)
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
	<-places
}

func parse(line []byte) (id []byte, microseconds int64, err error) {
	space := bytes.IndexByte(line, ' ')
	if space < 1 || space > idMax || bytes.IndexByte(line[:space], '\t') >= 0 {
		return nil, 0, errors.New("no ID")
	}
	value, err := strconv.ParseUint(string(line[space+1:]), 10, 32)
	if err != nil || value > microsecondsMax {
		return nil, 0, errors.New("no duration")
	}
	return line[:space], int64(value), nil
}

func answer(line []byte, writer *bufio.Writer) {
	id, microseconds, err := parse(line)
	if err != nil {
		writer.Write(errorReply)
		return
	}
	if microseconds > 0 {
		sleep(microseconds)
	}
	writer.Write(id)
	writer.WriteByte('\n')
}

func delay(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReaderSize(connection, lineMax+1)
	writer := bufio.NewWriter(connection)
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			writer.Flush()
			return
		}
		answer(line[:len(line)-1], writer)
		// All replies of what has arrived leave in one write.
		if buffered, _ := reader.Peek(reader.Buffered()); bytes.IndexByte(buffered, '\n') >= 0 {
			continue
		}
		if writer.Flush() != nil {
			return
		}
	}
}

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, echoBytes)
	for {
		size, err := connection.Read(buffer)
		if size > 0 {
			if _, writeErr := connection.Write(buffer[:size]); writeErr != nil {
				return
			}
		}
		if err == io.EOF || err != nil {
			return
		}
	}
}

func main() {
	if len(os.Args) < 2 || (os.Args[1] != "echo" && os.Args[1] != "delay") {
		fmt.Fprintln(os.Stderr, "usage: peer_go echo|delay [--threads N] [--pool N]")
		os.Exit(2)
	}
	serve := echo
	if os.Args[1] == "delay" {
		serve = delay
	}
	flags := flag.NewFlagSet("peer_go", flag.ExitOnError)
	threads := flags.Int("threads", 1, "GOMAXPROCS")
	pool := flags.Int("pool", 0, "handlers that may block at once")
	flags.Parse(os.Args[2:])
	if flags.NArg() > 0 || *threads < 1 || *pool < 0 {
		fmt.Fprintln(os.Stderr, "peer_go: bad arguments")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(*threads)
	if *pool > 0 {
		places = make(chan struct{}, *pool)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer_go:", err)
		os.Exit(1)
	}
	fmt.Printf("listening on tcp://%s\n", listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "peer_go:", err)
			os.Exit(1)
		}
		go serve(connection)
	}
}
