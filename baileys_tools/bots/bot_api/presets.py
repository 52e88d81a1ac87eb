"""What is known of the programs that bots run in: requests, and where their answers have the facts.

Each fact is a JMESPath expression. `connected`, `connecting` and `disconnected` have to come out as true, in
this order; an answer of which none is true says nothing. A message was sent where an answer says so; `init` and
`reconnect` only must not be refused, as the connection is asked for after them. `{company}` is what the program
calls the company.
No request here logs out or deletes anything.
"""

from collections.abc import Mapping
from typing import NamedTuple

from baileys_tools.bots.bot_api.endpoint import Endpoint


class Preset(NamedTuple):
    """One program: its requests by name, and the header that takes the token."""

    endpoints: Mapping[str, Endpoint]
    token_header: str = "Authorization: Bearer {token}"  # noqa: S105 - a template


PRESETS: Mapping[str, Preset] = {
    # A webhook server in front of Baileys; `status` has {connected, status, user, hasQR}.
    "ai-admin": Preset(
        {
            "status": Endpoint(
                "GET",
                "/webhook/whatsapp/baileys/status/{company}",
                connected="success == `true` && status.connected == `true`",
                connecting="success == `true` && status.connected == `false` && status.status == 'connecting'",
                disconnected="success == `true` && status.connected == `false`",
                has_qr="status.hasQR",
                user="status.user.id || status.user",
            ),
            "qr": Endpoint("GET", "/webhook/whatsapp/baileys/qr/{company}", code="qr"),
            "init": Endpoint("POST", "/webhook/whatsapp/baileys/init/{company}", ok="success != `false`"),
            "reconnect": Endpoint(
                "POST", "/webhook/whatsapp/baileys/reconnect/{company}", ok="success != `false`"
            ),
            "send": Endpoint(
                "POST",
                "/webhook/whatsapp/baileys/send",
                {"companyId": "{company}", "phone": "{number}", "message": "{message}"},
                ok="success == `true`",
            ),
        }
    ),
    # One session behind one address, told apart by `action`. Its action `clear` deletes the session, so it has no
    # place here; `initialize` takes the session that there is.
    "persistent-session": Preset(
        {
            "status": Endpoint(
                "GET",
                "/api/whatsapp/persistent-session",
                # A word beside a plain `false` is an old one.
                connected="(connected || isConnected || session.connected || status.connected || "
                "data.connected) == `true` || (not_null(connected, isConnected, session.connected, "
                "status.connected, data.connected) == `null` && contains(['connected', 'open'], "
                "not_null(status.status, session.status, data.status, status, '')))",
                connecting="contains(['connecting', 'initializing', 'qr', 'waiting_for_qr'], "
                "not_null(status.status, session.status, data.status, status, ''))",
                disconnected="not_null(connected, isConnected, session.connected, status.connected, "
                "data.connected) == `false` || contains(['disconnected', 'close', 'closed', 'logged_out'], "
                "not_null(status.status, session.status, data.status, status, ''))",
                has_qr="(hasQR || session.hasQR || status.hasQR || data.hasQR || qrCode || qr || data.qrCode || "
                "data.qr) && `true`",
            ),
            "qr": Endpoint(
                "GET",
                "/api/whatsapp/persistent-session",
                code="qrCode || qr || session.qrCode || status.qrCode || data.qrCode || data.qr",
            ),
            "init": Endpoint(
                "POST",
                "/api/whatsapp/persistent-session",
                {"action": "initialize"},
                ok="success != `false`",
            ),
            "reconnect": Endpoint(
                "POST",
                "/api/whatsapp/persistent-session",
                {"action": "initialize"},
                ok="success != `false`",
            ),
            "send": Endpoint(
                "POST",
                "/api/whatsapp/persistent-session",
                {"action": "send-test-message", "phoneNumber": "{number}", "message": "{message}"},
                ok="success == `true`",
            ),
        }
    ),
    # Evolution API v2, API reference: "Connection State", "Instance Connect", "Send Plain Text". Its "Restart
    # Instance" refuses an instance that is closed; "Instance Connect" connects that one and leaves an open one be.
    "evolution": Preset(
        {
            "status": Endpoint(
                "GET",
                "/instance/connectionState/{company}",
                connected="instance.state == 'open'",
                connecting="instance.state == 'connecting'",
                disconnected="instance.state == 'close'",
            ),
            "qr": Endpoint("GET", "/instance/connect/{company}", code="code || base64"),
            "pairing_code": Endpoint(
                "GET", "/instance/connect/{company}?number={number}", code="pairingCode"
            ),
            "init": Endpoint("GET", "/instance/connect/{company}", ok="error != `true`"),
            "reconnect": Endpoint("GET", "/instance/connect/{company}", ok="error != `true`"),
            "send": Endpoint(
                "POST",
                "/message/sendText/{company}",
                {"number": "{number}", "text": "{message}"},
                ok="key.id != `null`",
            ),
        },
        token_header="apikey: {token}",  # noqa: S106
    ),
    # WAHA, documentation pages "Sessions" and "Send Messages" and its Swagger page. Each of its engines has the id of
    # a sent message in another place (its issue 760).
    "waha": Preset(
        {
            "status": Endpoint(
                "GET",
                "/api/sessions/{company}",
                connected="status == 'WORKING'",
                connecting="contains(['STARTING', 'SCAN_QR_CODE'], not_null(status, ''))",
                disconnected="contains(['STOPPED', 'FAILED'], not_null(status, ''))",
                has_qr="status == 'SCAN_QR_CODE'",
                user="me.id",
            ),
            "qr": Endpoint("GET", "/api/{company}/auth/qr?format=raw", code="value"),
            "pairing_code": Endpoint(
                "POST", "/api/{company}/auth/request-code", {"phoneNumber": "{number}"}, code="code"
            ),
            "init": Endpoint("POST", "/api/sessions/{company}/start"),
            "reconnect": Endpoint("POST", "/api/sessions/{company}/restart"),
            "send": Endpoint(
                "POST",
                "/api/sendText",
                {"session": "{company}", "chatId": "{number}@c.us", "text": "{message}"},
                ok="(id || key.id || _data.id) && `true`",
            ),
        },
        token_header="X-Api-Key: {token}",  # noqa: S106
    ),
    # WPPConnect Server, "WPPConnect API Rest" (Swagger), section Auth. "CheckConnectionState" answers "Connected"
    # also where the client says no (`sessionController.ts: checkConnectionSession`), so the session's state is asked.
    "wppconnect": Preset(
        {
            "status": Endpoint(
                "GET",
                "/api/{company}/status-session",
                connected="status == 'CONNECTED'",
                connecting="contains(['INITIALIZING', 'QRCODE', 'PHONECODE'], not_null(status, ''))",
                disconnected="contains(['CLOSED', 'DISCONNECTED'], not_null(status, ''))",
                has_qr="status == 'QRCODE'",
            ),
            "qr": Endpoint("GET", "/api/{company}/status-session", code="urlcode || qrcode"),
            "init": Endpoint("POST", "/api/{company}/start-session", {"waitQrCode": False}),
            "reconnect": Endpoint("POST", "/api/{company}/start-session", {"waitQrCode": False}),
            "send": Endpoint(
                "POST",
                "/api/{company}/send-message",
                {"phone": "{number}", "isGroup": False, "message": "{message}"},
                ok="status == 'success'",
            ),
        }
    ),
    # Baileys API (nizarfadlan/baileys-api), its Postman collection, folders Sessions and Messages. "authenticated"
    # only means that the account is known (`service.ts: getSessionStatus`), not that it is connected. "add" answers
    # with the QR code, and refuses a session that is there; what connects that again is the server itself.
    "baileys-api": Preset(
        {
            "status": Endpoint(
                "GET",
                "/sessions/{company}/status",
                connected="status == 'connected'",
                connecting="contains(['authenticated', 'connecting', 'pulling_wa_data', 'wait_for_qrcode_auth'], "
                "not_null(status, ''))",
                disconnected="contains(['disconnected', 'disconected', 'disconnecting'], not_null(status, ''))",
                has_qr="status == 'wait_for_qrcode_auth'",
            ),
            "init": Endpoint("POST", "/sessions/add", {"sessionId": "{company}"}, code="qr"),
            "qr": Endpoint("POST", "/sessions/add", {"sessionId": "{company}"}, code="qr"),
            "send": Endpoint(
                "POST",
                "/{company}/messages/send",
                {"jid": "{number}@s.whatsapp.net", "type": "number", "message": {"text": "{message}"}},
                ok="key.id != `null`",
            ),
        },
        token_header="X-API-Key: {token}",  # noqa: S106
    ),
}
