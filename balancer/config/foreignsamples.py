"""Fetches and converters that HAProxy 2.6 has and rules here have not: each is refused with what to do instead.

A test takes the names from the installed HAProxy, so that none of its words is ever called unknown, and no misspelt one known.
"""

from collections.abc import Iterable
from typing import Final

# What stick tables count, of the tracked entries and of the client's address.
COUNTED: Final = (
    "bytes_in_rate bytes_out_rate clr_gpc clr_gpc0 clr_gpc1 conn_cnt conn_cur conn_rate get_gpc get_gpc0 get_gpc1 "
    "get_gpt get_gpt0 gpc0_rate gpc1_rate gpc_rate http_err_cnt http_err_rate http_fail_cnt http_fail_rate "
    "http_req_cnt http_req_rate inc_gpc inc_gpc0 inc_gpc1 kbytes_in kbytes_out sess_cnt sess_rate tracked "
    "trackers updt_conn_cnt"
).split()
NO_TABLES: Final = "there are no stick tables"


def _by_name(groups: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: why for why, names in groups for name in names.split()}


FOREIGN_FETCHES: Final[dict[str, str]] = _by_name(
    (
        (
            "there are no stick tables",
            "table_avl table_cnt",
        ),
        (
            "TLS ends before us",
            "ssl_bc ssl_bc_alg_keysize ssl_bc_alpn ssl_bc_cipher ssl_bc_client_random ssl_bc_err ssl_bc_err_str "
            "ssl_bc_is_resumed ssl_bc_npn ssl_bc_protocol ssl_bc_server_random ssl_bc_session_id ssl_bc_session_key "
            "ssl_bc_unique_id ssl_bc_use_keysize ssl_c_ca_err ssl_c_ca_err_depth ssl_c_chain_der ssl_c_der ssl_c_err "
            "ssl_c_i_dn ssl_c_key_alg ssl_c_notafter ssl_c_notbefore ssl_c_s_dn ssl_c_serial ssl_c_sha1 ssl_c_sig_alg "
            "ssl_c_used ssl_c_verify ssl_c_version ssl_f_der ssl_f_i_dn ssl_f_key_alg ssl_f_notafter ssl_f_notbefore "
            "ssl_f_s_dn ssl_f_serial ssl_f_sha1 ssl_f_sig_alg ssl_f_version ssl_fc_alg_keysize ssl_fc_alpn ssl_fc_cipher "
            "ssl_fc_cipherlist_bin ssl_fc_cipherlist_hex ssl_fc_cipherlist_str ssl_fc_cipherlist_xxh "
            "ssl_fc_client_early_traffic_secret ssl_fc_client_handshake_traffic_secret ssl_fc_client_random "
            "ssl_fc_client_traffic_secret_0 ssl_fc_early_exporter_secret ssl_fc_ecformats_bin ssl_fc_eclist_bin "
            "ssl_fc_err ssl_fc_err_str ssl_fc_exporter_secret ssl_fc_extlist_bin ssl_fc_has_crt ssl_fc_has_early "
            "ssl_fc_has_sni ssl_fc_is_resumed ssl_fc_npn ssl_fc_protocol ssl_fc_protocol_hello_id "
            "ssl_fc_server_handshake_traffic_secret ssl_fc_server_random ssl_fc_server_traffic_secret_0 ssl_fc_session_id "
            "ssl_fc_session_key ssl_fc_sni ssl_fc_sni_end ssl_fc_sni_reg "
            "ssl_fc_unique_id ssl_fc_use_keysize ssl_s_chain_der ssl_s_der ssl_s_i_dn "
            "ssl_s_key_alg ssl_s_notafter ssl_s_notbefore ssl_s_s_dn ssl_s_serial ssl_s_sha1 ssl_s_sig_alg ssl_s_version",
        ),
        (
            "only HTTP is read, whole requests at a time",
            "distcc_body distcc_param payload payload_lv rdp_cookie rdp_cookie_cnt rep_ssl_hello_type req.len req.payload "
            "req.payload_lv req.proto_http req.rdp_cookie req.rdp_cookie_cnt req.ssl_alpn req.ssl_ec_ext "
            "req.ssl_hello_type req.ssl_sni req.ssl_st_ext req.ssl_ver req_len req_proto_http "
            "req_rdp_cookie req_rdp_cookie_cnt req_ssl_hello_type "
            "req_ssl_sni req_ssl_ver res.len res.payload res.payload_lv res.ssl_hello_type wait_end",
        ),
        (
            "bodies are streamed and not looked into",
            "req.body req.body_len req.body_param req.body_size req.hdrs_bin res.body res.body_len res.body_size res.hdrs_bin",
        ),
        (
            "nothing is compressed or cached here",
            "res.cache_hit res.cache_name res.comp res.comp_algo",
        ),
        (
            "the connection to a server is chosen after the rules",
            "bc_dst bc_dst_port bc_err bc_err_str bc_http_major bc_src bc_src_port",
        ),
        (
            "'src', 'dst' and their ports tell of the client's connection",
            "dst_is_local fc_dst fc_dst_is_local fc_dst_port fc_err fc_err_str fc_fackets fc_http_major fc_lost "
            "fc_pp_authority fc_pp_unique_id fc_rcvd_proxy fc_reordering fc_retrans fc_rtt fc_rttvar fc_sacked fc_src "
            "fc_src_is_local fc_src_port fc_unacked url_ip url_port",
        ),
        (
            "there are no user lists : let the web server in front ask for passwords",
            "http_auth http_auth_group",
        ),
        (
            "one process with one thread serves",
            "cpu_calls cpu_ns_avg cpu_ns_tot lat_ns_avg lat_ns_tot",
        ),
        (
            "queues are in the order of arrival",
            "prio_class prio_offset",
        ),
        (
            "FastCGI is not supported",
            "fcgi.docroot fcgi.index",
        ),
        (
            "it shows how HAProxy is made inside",
            "internal.htx.data internal.htx.free internal.htx.free_data internal.htx.has_eom internal.htx.nbblks "
            "internal.htx.size internal.htx.used internal.htx_blk.data internal.htx_blk.hdrname internal.htx_blk.hdrval "
            "internal.htx_blk.size internal.htx_blk.start_line internal.htx_blk.type internal.strm.is_htx last_rule_file "
            "last_rule_line",
        ),
        (
            "timeouts are those of the file",
            "be_server_timeout be_tunnel_timeout cur_server_timeout cur_tunnel_timeout fe_client_timeout",
        ),
        (
            "'path', 'query' and 'base' tell its parts",
            "baseq",
        ),
        (
            "'req.cook' does the same",
            "cookie",
        ),
        (
            "'date' gives seconds",
            "date_us",
        ),
        (
            "give each 'bind' a section of its own",
            "so_id so_name",
        ),
        (
            "'url' and a converter such as crc32 do the same",
            "url32 url32+src",
        ),
    )
) | {f"{entry}_{what}": NO_TABLES for entry in ("sc", "sc0", "sc1", "sc2", "src") for what in COUNTED}

FOREIGN_CONVERTERS: Final[dict[str, str]] = _by_name(
    (
        (
            "there are no stick tables",
            "in_table table_bytes_in_rate table_bytes_out_rate table_conn_cnt table_conn_cur table_conn_rate table_expire "
            "table_gpc table_gpc0 table_gpc0_rate table_gpc1 table_gpc1_rate table_gpc_rate table_gpt table_gpt0 "
            "table_http_err_cnt table_http_err_rate table_http_fail_cnt table_http_fail_rate table_http_req_cnt "
            "table_http_req_rate table_idle table_kbytes_in table_kbytes_out table_server_id table_sess_cnt "
            "table_sess_rate table_trackers",
        ),
        (
            "TLS ends before us and tokens are the application's",
            "aes_gcm_dec hmac jwt_header_query jwt_payload_query jwt_verify",
        ),
        (
            "only HTTP is read",
            "fix_is_valid fix_tag_value mqtt_field_value mqtt_is_valid protobuf ungrpc",
        ),
        (
            "compare the text itself, or let the application do it",
            "add_item be2dec be2hex crc32c cut_crlf debug hex2i host_only htonl json_query nbsrv port_only secure_memcmp "
            "srv_queue unset-var xxh3 xxh32 xxh64",
        ),
    )
)
