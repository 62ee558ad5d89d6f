"""Rules that want more than one conversation: where their tests are."""

from typing import Final

from rules.named import Named
from rules.tunnels import TUNNELS

EARLY: Final = "scenarios/test_early_answers.py"
LIMITS: Final = "scenarios/test_limits_and_streams.py"
LEAVING: Final = "scenarios/test_clients_that_leave.py"
FAILURES: Final = "unit/test_proxy_failures.py"
EXCHANGE: Final = "unit/test_proxy_exchange.py"
FAULTS: Final = "scenarios/test_faults_of_servers.py"
REUSE: Final = "scenarios/test_reuse_of_connections.py"
ISOLATION: Final = "unit/test_proxy_isolation.py"
OPENING: Final = "scenarios/test_isolation.py"

CHAPTERS: Final[tuple[tuple[str, tuple[Named, ...]], ...]] = (
    (
        "Early answers and 100-continue",
        (
            Named(
                "a refusal of an upload that the server resets behind",
                "RFC 9112 9.6",
                "reaches the client",
                f"{EARLY}::test_a_refusal_reaches_the_client_although_the_server_resets_what_it_does_not_read",
            ),
            Named(
                "a client that goes on sending after its refusal",
                "RFC 9112 9.6",
                "lingering close: 2 s, 64 MiB",
                f"{EARLY}::test_a_client_that_goes_on_sending_is_read_politely_until_it_has_seen_the_answer",
            ),
            Named(
                "the rest of a refused upload",
                "RFC 9112 9.6",
                "never taken for a request",
                f"{EARLY}::test_the_rest_of_a_refused_upload_is_never_taken_for_a_request",
            ),
            Named(
                "answer and upload at the same time",
                "RFC 9112 9.3",
                "both ways at once",
                f"{EARLY}::test_answer_and_upload_run_at_the_same_time",
            ),
            Named(
                "Expect: 100-continue",
                "RFC 9110 10.1.1",
                "passes both ways, waits for nobody",
                f"{EARLY}::test_continue_passes_both_ways",
            ),
            Named(
                "a server that never says 100",
                "RFC 9110 10.1.1",
                "gets the body when it comes",
                f"{EARLY}::test_a_server_that_never_says_continue_gets_the_body_when_the_client_sends_it",
            ),
            Named(
                "a final answer in place of 100",
                "RFC 9110 10.1.1",
                "passes, then close",
                f"{EARLY}::test_a_final_answer_in_place_of_continue_ends_the_upload",
            ),
            Named(
                "100 and an HTTP/1.0 client",
                "RFC 9110 15.2",
                "kept from it",
                f"{EARLY}::test_continue_does_not_reach_a_client_of_http_1_0",
            ),
            Named(
                "an answer before the request",
                "RFC 9112 9.2",
                "502 where it is seen in time",
                f"{EARLY}::test_a_server_that_answers_before_the_request_is_not_believed",
            ),
        ),
    ),
    (
        "Faults of servers",
        (
            Named(
                "refused, with and without redispatch",
                "HAProxy 2.6",
                "retries after 1 s, the last one elsewhere",
                f"{FAILURES}::test_with_redispatch_the_last_attempt_goes_elsewhere_after_2_seconds",
            ),
            Named(
                "an end or a reset before the whole head",
                "RFC 9110 15.6.3",
                "502 SH, never repeated",
                f"{FAILURES}::test_an_end_before_the_whole_head_is_a_502",
            ),
            Named(
                "a kept connection that ends at its reuse",
                "RFC 9112 9.3.1",
                "repeated once, only where the server had ended in order and its kernel threw away each octet; else 502",
                f"{FAILURES}::test_what_a_kept_connection_swallowed_is_repeated_only_where_nobody_saw_it",
            ),
            Named(
                "one octet of answer",
                "RFC 9112 9.3.1",
                "nothing is repeated any more",
                f"{FAILURES}::test_after_one_octet_of_answer_nothing_is_repeated",
            ),
            Named(
                "a POST that was never sent",
                "HAProxy 2.6",
                "goes whole to another server",
                f"{FAILURES}::test_a_post_that_was_never_sent_is_sent_whole_to_another_server",
            ),
            Named(
                "surplus octets while the client is slow",
                "RFC 9112 9.2",
                "reach nobody",
                f"{FAILURES}::test_surplus_octets_while_the_client_is_slow_reach_nobody",
            ),
            Named(
                "a server that hangs", "RFC 9110 15.6.5", "504 sH", f"{EXCHANGE}::test_a_server_that_thinks_too_long_is_a_504"
            ),
            Named(
                "a server that stalls in the body",
                "RFC 9112 8",
                "cut, sD",
                f"{EXCHANGE}::test_a_server_that_stalls_in_the_body_is_cut",
            ),
            Named(
                "closes, resets, hangs before, in and behind head, body, chunks; garbage, surplus, half-close, full backlog",
                "RFC 9112 8, HAProxy 2.6",
                "as its row says, GET and POST: status, flags, cut or whole, read at most once; the next request is served",
                f"{FAULTS}::test_a_fault_ends_as_its_row_says",
            ),
            Named(
                "the same faults in HAProxy",
                "HAProxy 2.6",
                "the same status, flags and end, but where the row says otherwise",
                f"{FAULTS}::test_haproxy_does_what_the_row_says",
            ),
            Named(
                "a body until the end that a reset ends",
                "RFC 9112 8",
                "cut, SD; HAProxy takes it for whole",
                f"{FAULTS}::test_a_body_until_close_that_is_reset_is_not_taken_for_whole",
            ),
            Named(
                "refused by one server, with redispatch",
                "HAProxy 2.6",
                "GET and POST go to another one, read once",
                f"{FAULTS}::test_whoever_is_refused_everywhere_is_moved_and_served_once",
            ),
            Named(
                "descriptors after all these faults",
                "decision",
                "as many as before",
                f"{FAULTS}::test_descriptors_are_as_many_as_before",
            ),
            Named(
                "a kept connection that ended, was reset or spoke just before its use",
                "RFC 9112 9.3.1",
                "not used: a fresh one, 200, read once",
                f"{REUSE}::test_a_connection_that_ended_just_before_is_not_used",
            ),
            Named(
                "a kept connection that ends in the moment of its use",
                "RFC 9112 9.3.1",
                "repeated only where a reset behind an orderly end proves that none was taken, not where the server reads on",
                f"{REUSE}::test_a_request_is_repeated_only_where_no_octet_was_taken",
            ),
            Named(
                "a kept connection that ends after it took the request",
                "RFC 9112 9.3.1",
                "502 SH, not repeated",
                f"{REUSE}::test_what_a_kept_connection_took_is_not_sent_again",
            ),
            Named(
                "a kept connection that ends with the request unread in its kernel",
                "RFC 9112 9.3.1",
                "502 SH, not repeated",
                f"{REUSE}::test_what_lay_unread_in_the_servers_kernel_is_not_sent_again",
            ),
            Named(
                "eighteen faults at random, tens of thousands of requests",
                "decision",
                "nothing twice, nothing mixed up, one line each with its flags, nothing left behind",
                "scenarios/test_soak.py::test_nothing_is_processed_twice_mixed_up_or_left_behind",
            ),
        ),
    ),
    (
        "Clients that leave, stall or flood",
        (
            Named(
                "a request behind a body that was waited for in vain",
                "RFC 9112 9.3.2",
                "is read at once",
                "unit/test_proxy_limits.py::"
                "test_what_comes_behind_a_body_that_was_waited_for_is_read_although_its_request_had_no_server",
            ),
            Named(
                "HEAD that a rule makes a GET",
                "RFC 9110 9.3.2",
                "no body reaches the client",
                "unit/test_proxy_rules.py::test_a_client_that_asked_for_a_head_gets_no_body_whatever_a_rule_made_of",
            ),
            Named(
                "GET that a rule makes a HEAD",
                "RFC 9112 6.3",
                "close behind the head",
                "unit/test_proxy_rules.py::test_a_client_whose_get_became_a_head_does_not_take_the_next_answer_for_its_body",
            ),
            Named(
                "a rule that puts 204 before a body of ours",
                "RFC 9112 6.3",
                "the status stays; `return status 204` with a text is refused",
                "unit/test_proxy_rules.py::test_no_rule_puts_a_status_without_a_body_before_a_body_of_ours",
            ),
            Named(
                "leaves inside its body",
                "RFC 9112 8",
                "CD, the server's connection is cut",
                f"{LEAVING}::test_a_client_that_breaks_off_its_body_is_cd_without_a_status",
            ),
            Named(
                "stalls inside its body",
                "RFC 9110 15.5.9",
                "408 cH",
                f"{LEAVING}::test_a_client_that_stalls_inside_its_body_gets_408",
            ),
            Named(
                "says nothing",
                "RFC 9110 15.5.9",
                "408 after timeout http-request",
                f"{LEAVING}::test_a_client_that_says_nothing_gets_408_and_no_line",
            ),
            Named(
                "leaves inside the answer",
                "RFC 9112 9.6",
                "CD",
                f"{LEAVING}::test_a_client_that_leaves_inside_the_answer_is_cd",
            ),
            Named(
                "does not read",
                "HAProxy 2.6",
                "cD after timeout client, bounded memory",
                f"{LIMITS}::test_a_client_that_does_not_read_holds_up_nobody_else_and_costs_little",
            ),
            Named(
                "idle between requests",
                "RFC 9112 9.5",
                "closed without a word",
                f"{LEAVING}::test_an_idle_kept_connection_is_closed_without_a_word",
            ),
            Named(
                "more than maxconn",
                "HAProxy 2.6",
                "wait in the backlog, none is lost",
                f"{LIMITS}::test_connections_beyond_maxconn_wait_and_none_is_lost",
            ),
            Named(
                "no descriptor left",
                "accept(2)",
                "clients wait, no spinning",
                f"{LIMITS}::test_want_of_descriptors_makes_clients_wait_without_spinning",
            ),
            Named(
                "large bodies both ways",
                "decision",
                "the process does not grow",
                f"{LIMITS}::test_large_bodies_pass_both_ways_through_a_process_that_does_not_grow",
            ),
        ),
    ),
    (
        "Isolation",
        (
            Named(
                "a request that comes behind the last octets of a body with which we failed",
                "decision",
                "is not read: 500, close",
                f"{ISOLATION}::test_behind_a_fault_no_other_request_is_read_on_that_connection",
            ),
            Named(
                "odd heads and forms for the statistics page",
                "decision",
                "answered or cut, no fault in the log",
                "scenarios/test_stats_page_limits.py::test_nothing_that_a_visitor_sends_to_the_page_is_a_fault_in_the_log",
            ),
            Named(
                "a fault of ours in one exchange",
                "decision",
                "500 or an abort there, one line that names it",
                f"{EXCHANGE}::test_a_fault_of_ours_ends_one_exchange_with_a_line",
            ),
            Named(
                "a fault in connecting, writing, pausing, giving back, answering, at a deadline",
                "decision",
                "500 or a cut there; slot, counters and line as ever; others are served",
                f"{ISOLATION}::test_a_fault_ends_one_exchange_and_leaves_nothing",
            ),
            Named(
                "a fault in logging",
                "decision",
                "costs that client alone",
                f"{ISOLATION}::test_a_log_that_fails_costs_its_own_client_alone",
            ),
            Named(
                "a fault before there is an exchange",
                "decision",
                "500 IR",
                f"{ISOLATION}::test_a_fault_before_there_is_an_exchange_is_a_500_with_a_line",
            ),
            Named(
                "a fault on accepting",
                "decision",
                "that connection is cut",
                f"{ISOLATION}::test_a_fault_on_accepting_costs_that_connection",
            ),
            Named(
                "a fault in whoever gets a slot",
                "decision",
                "does not reach whoever gave it",
                f"{ISOLATION}::test_a_fault_in_the_request_that_gets_a_slot_does_not_reach_the_one_that_gave_it",
            ),
            Named(
                "a fault in a pipelined request",
                "decision",
                "is its own",
                f"{ISOLATION}::test_a_fault_in_a_pipelined_request_is_its_own",
            ),
            Named(
                "a fault in opening a connection",
                "decision",
                "500 IC, no task dies",
                f"{OPENING}::test_a_fault_in_opening_a_connection_is_a_500_with_a_line",
            ),
            Named(
                "a fault in reading an answer",
                "decision",
                "that exchange is cut",
                f"{OPENING}::test_a_fault_in_reading_an_answer_ends_that_exchange",
            ),
            Named("an exchange that has ended", "decision", "nothing reaches it any more", f"{EXCHANGE}::test_an_end_is_final"),
        ),
    ),
    ("Tunnels", TUNNELS),
    (
        "Readers of others",
        (
            Named(
                "whatever we forward, h11 reads alike",
                "RFC 9112",
                "same message, same end",
                "unit/test_http_differential.py::test_h11_reads_the_request_that_we_have_accepted",
            ),
            Named(
                "whatever we answer, h11 reads alike",
                "RFC 9112",
                "same message, same end",
                "unit/test_http_differential.py::test_h11_reads_the_answer_that_we_have_accepted",
            ),
            Named(
                "wherever a server breaks off",
                "RFC 9112 8",
                "nobody takes the answer for whole",
                "unit/test_http_differential.py::test_wherever_a_server_breaks_off_nobody_takes_the_answer_for_whole",
            ),
        ),
    ),
)
