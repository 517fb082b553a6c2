"""An agent on fastmcp that calls one tool, and sends its user to a browser where the gateway asks for consent (G16).

Prints a line of JSON for each attempt; between attempts it waits for a line on standard input, which says that the user
is back. The token is in the environment, where other users of the machine do not see it.
"""

import asyncio
import json
import os
import re
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

MARK = "Please visit:"


def authorization_text(error):
    """The text with the URLs, from whichever exception in the chain has it."""
    while error is not None:
        data = getattr(getattr(error, "error", None), "data", None)
        if data and MARK in str(data):
            return str(data)
        error = error.__cause__
    return None


def authorization_urls(text):
    """The URLs in the text; several are joined by a comma between spaces."""
    found = re.search(MARK + r"\s*(.+)$", text)
    return [url.strip() for url in found.group(1).split(" , ")] if found else []


async def attempt(url, token, tool, arguments):
    transport = StreamableHttpTransport(url=url, headers={"Authorization": f"Bearer {token}"})
    try:
        # What is missing shows while the client connects.
        async with Client(transport) as client:
            result = await client.call_tool(tool, arguments)
            return {"success": True, "text": "".join(part.text for part in result.content)}
    except Exception as error:
        text = authorization_text(error)
        urls = authorization_urls(text) if text else []
        if not urls:
            raise
        return {"success": False, "auth_required": True, "authorization_urls": urls}


async def main():
    url, tool, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    while True:
        result = await attempt(url, os.environ["GATEWAY_TOKEN"], tool, arguments)
        print(json.dumps(result), flush=True)
        if result["success"] or not sys.stdin.readline():
            return


asyncio.run(main())
