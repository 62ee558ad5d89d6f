"""Rules of tunnels, WebSockets above all: where their tests are."""

from typing import Final

from rules.named import Named

LIMITS: Final = "scenarios/test_limits_and_streams.py"
TUNNEL: Final = "unit/test_proxy_tunnel.py"
SOCKETS: Final = "scenarios/test_websocket.py"
RAW_TUNNELS: Final = "scenarios/test_tunnels_beside_haproxy.py"

TUNNELS: Final[tuple[Named, ...]] = (
    Named(
        "101 with cookie, octets behind it",
        "RFC 9110 7.8",
        "a tunnel, both readers' octets handed over",
        f"{TUNNEL}::test_a_101_carries_the_cookie_and_opens_a_tunnel",
    ),
    Named("a wrong Sec-WebSocket-Accept", "RFC 6455 4.1", "502", f"{TUNNEL}::test_an_unasked_or_unproved_101_is_a_502"),
    Named("half-close of either side", "RFC 9293 3.6", "carried on", f"{TUNNEL}::test_either_side_may_half_close"),
    Named(
        "an idle tunnel",
        "HAProxy 2.6",
        "ends at timeout tunnel, else at the nearer of the others",
        f"{TUNNEL}::test_an_idle_tunnel_ends_at_its_own_timeout_or_the_nearer_of_the_others",
    ),
    Named("a reset of either side", "RFC 9293 3.5", "ends the tunnel", f"{TUNNEL}::test_a_reset_ends_the_tunnel"),
    Named(
        "a page in a real browser",
        "RFC 6455",
        "its socket goes to the page's server, large frames, a clean close",
        f"{SOCKETS}::test_a_page_in_a_real_browser_talks_over_its_socket",
    ),
    Named(
        "a socket and its cookie",
        "decision",
        "the cookie decides, two sockets never mix",
        f"{SOCKETS}::test_a_socket_follows_its_cookie_and_two_do_not_mix",
    ),
    Named(
        "large frames both ways at once",
        "RFC 6455",
        "back-pressure on both sides",
        f"{SOCKETS}::test_large_frames_pass_both_ways_at_once",
    ),
    Named(
        "the death of a server",
        "RFC 9293 3.5",
        "SD, its sockets end and no other",
        f"{SOCKETS}::test_the_death_of_a_server_ends_its_sockets_and_no_other",
    ),
    Named(
        "the death of a client",
        "RFC 9293 3.5",
        "CD, the server knows",
        f"{SOCKETS}::test_the_death_of_a_client_reaches_the_server",
    ),
    Named(
        "timeout tunnel",
        "HAProxy 2.6",
        "ends an idle socket, not a busy one",
        f"{SOCKETS}::test_an_idle_socket_ends_at_timeout_tunnel_and_a_busy_one_does_not",
    ),
    Named("a soft stop", "HAProxy 2.6", "waits for open sockets", f"{SOCKETS}::test_a_soft_stop_waits_for_the_socket"),
    Named(
        "a refused upgrade",
        "RFC 9110 7.8",
        "leaves HTTP in force",
        f"{SOCKETS}::test_a_refused_upgrade_leaves_http_in_force",
    ),
    Named(
        "octets right behind the request and right behind the 101",
        "RFC 9110 7.8",
        "arrive, in order, and are counted in the log",
        f"{RAW_TUNNELS}::test_octets_right_behind_the_request_and_the_101_arrive_and_are_counted",
    ),
    Named(
        "the cookie of a 101",
        "decision",
        "leads the next connect to the same server",
        f"{RAW_TUNNELS}::test_the_cookie_of_a_101_leads_the_next_one_to_the_same_server",
    ),
    Named(
        "200, 403 or 426 to an upgrade",
        "RFC 9110 7.8",
        "both connections stay HTTP, the pipelined request is served",
        f"{RAW_TUNNELS}::test_after_a_refusal_both_connections_stay_http",
    ),
    Named(
        "101 that nobody asked for, octets behind it",
        "RFC 9110 15.2.2",
        "502 PH, nothing of it reaches the client",
        f"{RAW_TUNNELS}::test_a_101_that_nobody_asked_for_is_502",
    ),
    Named(
        "Upgrade: h2c",
        "RFC 9113 3.1",
        "never reaches the server",
        f"{RAW_TUNNELS}::test_h2c_never_reaches_the_server",
    ),
    Named(
        "half-close of the client",
        "RFC 9293 3.6",
        "the server answers on",
        f"{RAW_TUNNELS}::test_a_client_may_half_close",
    ),
    Named(
        "half-close of the server",
        "RFC 9293 3.6",
        "the client speaks on",
        f"{RAW_TUNNELS}::test_a_server_may_half_close",
    ),
    Named(
        "last words of a server, more than all buffers hold",
        "RFC 9293 3.6",
        "arrive whole",
        f"{RAW_TUNNELS}::test_last_words_of_a_server_arrive_whole_however_many",
    ),
    Named(
        "last words of a client, more than all buffers hold",
        "RFC 9293 3.6",
        "arrive whole",
        f"{RAW_TUNNELS}::test_last_words_of_a_client_arrive_whole_however_many",
    ),
    Named(
        "both sides speak at once",
        "decision",
        "8 MiB each way, none waits for the other",
        f"{RAW_TUNNELS}::test_both_speak_at_once",
    ),
    Named(
        "a tunnel and maxconn",
        "HAProxy 2.6",
        "holds its slot until it ends",
        f"{RAW_TUNNELS}::test_a_tunnel_holds_its_slot_until_it_ends",
    ),
    Named(
        "reset of the client",
        "RFC 9293 3.5",
        "CD, the server is reset",
        f"{RAW_TUNNELS}::test_the_death_of_a_client_reaches_the_server",
    ),
    Named(
        "reset of the server",
        "RFC 9293 3.5",
        "SD, the client is reset",
        f"{RAW_TUNNELS}::test_the_death_of_a_server_reaches_the_client",
    ),
    Named(
        "a client that leaves while the server talks",
        "RFC 9293 3.5",
        "CD, the server learns it",
        f"{RAW_TUNNELS}::test_a_client_that_leaves_while_the_server_talks_is_cd",
    ),
    Named(
        "an idle tunnel",
        "HAProxy 2.6",
        "cD or sD: the timeout that passes first",
        f"{RAW_TUNNELS}::test_an_idle_tunnel_ends_at_the_timeout_that_passes_first",
    ),
    Named(
        "one side alone speaks",
        "HAProxy 2.6",
        "keeps the tunnel alive",
        f"{RAW_TUNNELS}::test_octets_of_one_side_alone_keep_a_tunnel_alive",
    ),
    Named(
        "a side that does not read",
        "HAProxy 2.6",
        "cD or sD after its own timeout",
        f"{RAW_TUNNELS}::test_who_does_not_read_is_named_when_the_timeout_passes",
    ),
    Named(
        "a side that reads slowly",
        "HAProxy 2.6",
        "the other's timeout does not count meanwhile",
        f"{RAW_TUNNELS}::test_who_reads_slowly_has_as_long_as_he_likes_where_only_the_other_has_a_timeout",
    ),
    Named(
        "an idle tunnel that is half-closed",
        "HAProxy 2.6",
        "waits for the side that may still speak",
        f"{RAW_TUNNELS}::test_a_half_closed_tunnel_waits_for_the_side_that_may_still_speak",
    ),
    Named(
        "on-marked-down shutdown-sessions",
        "HAProxy 2.6",
        "D-, the tunnel is cut",
        f"{RAW_TUNNELS}::test_a_server_that_is_marked_down_loses_its_tunnels_where_that_is_configured",
    ),
    Named(
        "tunnels in the statistics",
        "HAProxy 2.6",
        "octets, 1xx and aborts of each side are counted",
        f"{RAW_TUNNELS}::test_the_statistics_count_each_end",
    ),
    Named(
        "a soft stop, then hard-stop-after",
        "HAProxy 2.6",
        "goes on, then K-, as every request under way has its line",
        f"{RAW_TUNNELS}::test_a_hard_stop_tells_each_request_that_it_ends",
    ),
    Named(
        "SIGTERM, SIGINT",
        "HAProxy 2.6",
        "cut at once, no line",
        f"{RAW_TUNNELS}::test_sigterm_and_sigint_cut_tunnels_without_a_line",
    ),
    Named(
        "WebSocket with a real library",
        "RFC 6455",
        "large frames, pings, an orderly close",
        f"{LIMITS}::test_websockets_pass_with_large_frames_pings_and_an_orderly_close",
    ),
)
