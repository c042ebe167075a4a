"""The receiver at the end: answers 200 to every POST and remembers which instances it was told of.

    sink.py PORT MARK      # GET / answers the instances, one a line
"""

import asyncio
import re
import sys


class Sink(asyncio.Protocol):
    seen = set()
    instances = None

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while self.take_one():
            pass

    def take_one(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self.buffer[:end].lower()
        length = re.search(rb"content-length: *(\d+)", head)
        whole = end + 4 + (int(length.group(1)) if length else 0)
        if len(self.buffer) < whole:
            return False
        body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
        answer = b""
        if head.startswith(b"get"):
            answer = b"\n".join(self.seen)
        else:
            self.seen.update(self.instances.findall(body))
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
        return True


async def main():
    Sink.instances = re.compile(re.escape(sys.argv[2]).encode() + rb"-\d+-\d+z")
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
