# SPDX-License-Identifier: Apache-2.0
"""A second implementation of the digests of flowaudit-db(5), INTEGRITY, written from that page alone."""
import hashlib

FINDINGS = ('finding_id kind severity row_id section client client_name server server_name transport server_port protocol outcome '
            'disposition first_seen last_seen flows packets bytes reason waived_by parent conversation_id').split()


def encode(value):
    if value is None:
        return b'n'
    if isinstance(value, int):
        letter, data = b'i', str(value).encode()
    else:
        letter, data = b't', value.encode()
    return letter + str(len(data)).encode() + b':' + data + b','


def digest(title, rows):
    h = hashlib.sha256(title.encode() + b'\n')
    for row in rows:
        h.update(b''.join(encode(value) for value in row) + b'\n')
    return h.hexdigest()


def key_of(db, table):
    columns = sorted((c[5], c[1]) for c in db.execute(f'PRAGMA table_info("{table}")') if c[5] > 0)
    return ', '.join(f'"{name}"' for _, name in columns)


def table_digest(db, table, columns, run_id):
    names = ', '.join(f'"{name}"' for name in columns.split(','))
    rows = db.execute(f'SELECT {names} FROM "{table}" WHERE run_id = ? ORDER BY {key_of(db, table)}', (run_id,)).fetchall()
    return len(rows), digest(f'flowaudit-table-1\n{table}\n{columns}', rows)


def findings_digest(db, run_id):
    return digest('flowaudit-findings-1', db.execute(f'SELECT {", ".join(FINDINGS)} FROM findings WHERE run_id = ? ORDER BY finding_id', (run_id,)))


def check_seals(db):
    """What is wrong with the seals of a record in which no run was removed; an empty list where all hold."""
    wrong, last = [], '-'
    for seal_id, run_id, previous, sha256, manifest in db.execute('SELECT * FROM seals ORDER BY seal_id').fetchall():
        if hashlib.sha256(manifest.encode()).hexdigest() != sha256:
            wrong.append(f'seal {seal_id}: not the digest of its manifest')
        lines = manifest.split('\n')
        if lines[:4] != ['flowaudit-seal-1', f'seal {seal_id}', f'run {run_id}', f'previous {last}'] or (previous or '-') != last or lines[-1]:
            wrong.append(f'seal {seal_id}: {lines[:4]}')
        for line in lines[4:-1]:
            word, *rest = line.split(' ')
            if word == 'table':
                name, n, want, columns = rest
                if table_digest(db, name, columns, run_id) != (int(n), want):
                    wrong.append(f'seal {seal_id}: table {name}')
        last = sha256
    return wrong
