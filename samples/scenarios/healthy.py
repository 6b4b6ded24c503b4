# SPDX-License-Identifier: Apache-2.0
"""The site of "Example HQ" with everything in order: every required row is seen, nothing is found."""

from . import unity

LAST = 1320  # 22 minutes


def build():
    s = unity.site()
    unity.ordinary(s, 2, LAST - 20)
    unity.line_to_ucm(s, "unity1", LAST, [(300, 4, 22804, "phone1", 24608)])
    unity.line_to_ucm(s, "unity2", LAST)
    s.media(300, "unity1", 22804, "phone1", 24608, 4, row="unity-phone-rtp")
    unity.sip_call(s, 600, 2, 22808, 27002)
    unity.monitoring(s, LAST, 120)
    unity.new_mail(s, (200, 640, 900))
    s.service(420, "TLS", "admin1", "unity1", 443, row="admin-https")
    s.service(480, "TLS", "desk1", "unity1", 443, row="pca-https")
    s.service(500, "VNC", "admin1", "unity1", 5900, row="vnc-unity")
    s.service(520, "DNS", "desk1", "dns1", 53, "udp", row="workstation-dns")
    s.service(530, "DCE_RPC", "desk1", "exch1", 135, row="workstation-exchange-epm")
    s.service(531, "DCE_RPC", "desk1", "exch1", 5003, row="workstation-exchange-dcom")
    s.service(700, "SMTP", "exch2", "exch1", 25, row="exchange-exchange-smtp")
    s.service(LAST - 1, "NTP", "unity1", "dc1", 123, "udp", sport=1123, row="unity-dc-ntp")
    return s


SITE = unity.SITE.format(file="healthy.pcapng", within="20m")
