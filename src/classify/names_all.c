/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All names that a matrix file may use: first ours (NAMES_N_CONTRACT of them), then the other protocols of libndpi 4.2.
 * Written down, since the vocabulary of matrix files must not move with the version that is installed; a test holds the
 * list against the library.
 */
#include <stddef.h>

#include "names.h"

/* clang-format off */
const char *const names_all[] = {
    "Kerberos", "LDAP", "TLS", "NetBIOS", "SMB", "NTP", "DCE_RPC", "DNS", "MsSQL-TDS", "CiscoSkinny", "HTTP", "RTP",
    "SIP", "VNC", "SNMP", "RDP", "SMTP",
    /* of the library alone */
    "FTP_CONTROL", "POP3", "IMAP", "IPP", "MDNS", "NFS", "SSDP", "BGP", "XDMCP", "SMBv1", "Syslog", "DHCP",
    "PostgreSQL", "MySQL", "Hotmail", "Direct_Download_Link", "POPS", "AppleJuice", "DirectConnect", "ntop", "COAP",
    "VMware", "SMTPS", "DTLS", "UBNTAC2", "Kontiki", "OpenFT", "FastTrack", "Gnutella", "eDonkey", "BitTorrent",
    "SkypeCall", "Signal", "Memcached", "SMBv23", "Mining", "NestLogSink", "Modbus", "WhatsAppCall", "DataSaver",
    "Xbox", "QQ", "TikTok", "RTSP", "IMAPS", "IceCast", "CPHA", "PPStream", "Zattoo", "ShoutCast", "Sopcast",
    "Discord", "TVUplayer", "MongoDB", "QQLive", "Thunder", "OCSP", "FREE_64", "IRC", "Ayiya", "Jabber", "Nats",
    "AmongUs", "Yahoo", "DisneyPlus", "GooglePlus", "VRRP", "Steam", "HalfLife2", "WorldOfWarcraft", "Telnet", "STUN",
    "IPsec", "GRE", "ICMP", "IGMP", "EGP", "SCTP", "OSPF", "IP_in_IP", "Tumblr", "SSH", "Usenet", "MGCP", "IAX",
    "TFTP", "AFP", "Stealthnet", "Aimini", "TruPhone", "ICMPV6", "DHCPV6", "Armagetron", "Crossfire", "Dofus",
    "Fiesta", "Florensia", "Guildwars", "AmazonAlexa", "MapleStory", "PPTP", "Warcraft3", "WorldOfKungFu", "Slack",
    "Facebook", "Twitter", "Dropbox", "GMail", "GoogleMaps", "YouTube", "Skype_Teams", "Google", "NetFlow", "sFlow",
    "HTTP_Connect", "HTTP_Proxy", "Citrix", "NetFlix", "LastFM", "Waze", "YouTubeUpload", "Hulu", "CHECKMK", "AJP",
    "Apple", "Webex", "WhatsApp", "AppleiCloud", "Viber", "AppleiTunes", "Radius", "WindowsUpdate", "TeamViewer",
    "Tuenti", "LotusNotes", "SAP", "GTP", "WSD", "LLMNR", "RemoteScan", "Spotify", "Messenger", "H323", "OpenVPN",
    "NOE", "CiscoVPN", "TeamSpeak", "Tor", "RTCP", "RSYNC", "Oracle", "Corba", "UbuntuONE", "Whois-DAS", "Collectd",
    "SOCKS", "Nintendo", "RTMP", "FTP_DATA", "Wikipedia", "ZeroMQ", "Amazon", "eBay", "CNN", "Megaco", "Redis",
    "Pinterest", "VHUA", "Telegram", "Vevo", "Pandora", "QUIC", "Zoom", "EAQ", "Ookla", "AMQP", "KakaoTalk",
    "KakaoTalk_Voice", "Twitch", "DoH_DoT", "WeChat", "MPEG_TS", "Snapchat", "Sina(Weibo)", "GoogleHangoutDuo",
    "IFLIX", "Github", "BJNP", "Reddit", "WireGuard", "SMPP", "DNScrypt", "TINC", "Deezer", "Instagram", "Microsoft",
    "Starcraft", "Teredo", "HotspotShield", "IMO", "GoogleDrive", "OCS", "Microsoft365", "Cloudflare", "MS_OneDrive",
    "MQTT", "RX", "AppleStore", "OpenDNS", "Git", "DRDA", "PlayStore", "SOMEIP", "FIX", "Playstation", "Pastebin",
    "LinkedIn", "SoundCloud", "CSGO", "LISP", "Diameter", "ApplePush", "GoogleServices", "AmazonVideo", "GoogleDocs",
    "WhatsAppFiles", "TargusDataspeed", "DNP3", "IEC60870", "Bloomberg", "CAPWAP", "Zabbix", "s7comm", "Teams",
    "WebSocket", "AnyDesk", "SOAP", "AppleSiri", "SnapchatCall", "HP_VIRTGRP", "GenshinImpact", "Activision",
    "FortiClient", "Z39.50", "Likee", "GitLab", "AVASTSecureDNS", "Cassandra", "AmazonAWS", "Salesforce", "Vimeo",
    "FacebookVoip", "SignalVoip", "Fuze", "GTP_U", "GTP_C", "GTP_PRIME", "Alibaba", "Crashlytics", "Azure",
    "iCloudPrivateRelay", "EthernetIP", "Badoo", "AccuWeather", "GoogleClassroom",
    NULL,
};
/* clang-format on */
