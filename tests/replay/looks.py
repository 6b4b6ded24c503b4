#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The HTML report in a browser: it asks for nothing, says nothing on the console, fits a telephone, can be read in light and in dark, and on paper has numbered pages.

usage: looks.py FLOWAUDIT SOURCE_ROOT
"""
import html.parser
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import browser
import flowdb

SAMPLES = {'incident': 'pcapng', 'healthy': 'pcapng', 'web-shop': 'pcap'}
PARTS = ['sections', 'evidence', 'coverage', 'timeline', 'roles', 'findings', 'missing', 'separation', 'rows', 'exceptions', 'differences', 'all-findings', 'all-expectations', 'method',
         'requirements', 'reproduction', 'sign-off']
OPEN = {'html', 'head', 'meta', 'body', 'li', 'dt', 'dd', 'tr', 'td', 'th', 'br'}  # whose end HTML lets a writer leave out

# Texts whose contrast with what is behind them is below 4.5 : 1, as "what they say": ratio.
CONTRAST = r'''(() => {
  const channel = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => .2126 * channel(c[0]) + .7152 * channel(c[1]) + .0722 * channel(c[2]);
  const parse = t => (t.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const poor = {}, seen = new Set();
  for (const e of document.querySelectorAll('body *:not(svg *)')) {
    const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join('').trim();
    const key = e.tagName + e.className + (e.parentElement ? e.parentElement.className : '');
    if (!text || seen.has(key)) continue;
    seen.add(key);
    const a = light(parse(getComputedStyle(e).color)), b = light(behind(e)), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor[key + ' ' + text.slice(0, 20)] = Math.round(ratio * 100) / 100;
  }
  return JSON.stringify(poor);
})()'''


class Shape(html.parser.HTMLParser):
    """Elements that are closed in the order in which they were opened; the parts in their order."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.wrong, self.parts, self.links, self.anchors = [], [], [], set(), set()
        self.feed(text)
        self.wrong += [f'<{tag}> is not closed' for tag in self.stack]

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == 'section':
            self.parts.append(attributes['id'])
        if 'id' in attributes:
            if attributes['id'] in self.anchors:
                self.wrong.append(f'id {attributes["id"]} twice')
            self.anchors.add(attributes['id'])
        if tag == 'a':
            self.links.add(attributes['href'][1:])
        if tag not in OPEN:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if tag in OPEN:
            return
        if not self.stack or self.stack[-1] != tag:
            self.wrong.append(f'</{tag}> after {self.stack[-3:]}')
        else:
            self.stack.pop()


def reports(program, source, folder):
    """{name: HTML file}: the samples, and captures beside the source tree where they are; the incident with the differences to the healthy one."""
    audits = [(name, os.path.join(source, 'samples', name + '.yaml'), os.path.join(source, 'samples', f'{name}.{ending}')) for name, ending in SAMPLES.items()]
    lab = flowdb.shared(source, 'captures-lab')
    if lab:
        audits += [('lab-' + name[:-5], os.path.join(lab, name[:-5] + '.site.yaml'), os.path.join(lab, name)) for name in sorted(os.listdir(lab)) if name.endswith('.pcap')]
    else:
        print('no laboratory captures here: the samples only')
    made = {}
    for name, site, capture in audits:
        place = os.path.join(folder, name)
        os.mkdir(place)
        flowdb.Audit(program, site, [capture], '--flows', 'all', directory=place).close()
    for name, _, _ in audits:
        earlier = ['--earlier', os.path.join(folder, 'healthy', 'audit.db')] if name == 'incident' else []
        made[name] = os.path.join(folder, name + '.html')
        subprocess.run([program, 'report', '--format', 'html', *earlier, '-o', made[name], os.path.join(folder, name, 'audit.db')], check=True, timeout=120,
                       env=dict(os.environ, **flowdb.SANITIZERS))
    return made


def check_text(name, path):
    text = open(path, encoding='utf-8').read()
    shape = Shape(text)
    wrong = [f'{name}: {w}' for w in shape.wrong]
    if shape.parts != [p for p in PARTS if p != 'differences' or name == 'incident']:
        wrong.append(f'{name}: its parts are {shape.parts}')
    if not shape.links <= shape.anchors or not set(shape.parts) <= shape.links:
        wrong.append(f'{name}: contents and parts differ: {shape.links ^ set(shape.parts)}')
    if re.search(r'<script|@import|url\(|<link|<iframe|<object|<base', text):
        wrong.append(f'{name}: it refers to something outside')
    if 'counter(page)' not in text or '@page{size:A4' not in text:
        wrong.append(f'{name}: no page numbers')
    return wrong


def check_looks(b, name, path):
    wrong = []
    for width, dark in ((1400, False), (1400, True), (400, True), (400, False)):
        if name == 'incident' or dark == (width == 400):  # one report in all ways, the others once wide and once narrow
            where = f'{name}, {width} px, {"dark" if dark else "light"}'
            asked, said = b.open(path, width, dark=dark, scripts=False)
            if asked or said:
                wrong.append(f'{where}: it asked for {asked}, the console says {said}')
            if b.value('document.documentElement.scrollWidth') > width:
                wrong.append(f'{where}: wider than the window')
            poor = b.value(CONTRAST)
            if poor != '{}':
                wrong.append(f'{where}: hard to read: {poor}')
            back = b.value('getComputedStyle(document.body).backgroundColor')
            if (back == 'rgb(255, 255, 255)') == dark:
                wrong.append(f'{where}: the background is {back}')
    return wrong


def check_paper(b, name, path, folder):
    """Of the file that is still open."""
    pdf = os.path.join(folder, name + '.pdf')
    b.pdf(pdf)
    if not shutil.which('pdftotext'):
        return []
    pages = subprocess.run(['pdftotext', '-layout', pdf, '-'], capture_output=True, text=True, check=True).stdout.split('\f')[:-1]
    wrong = [f'{name}: page {i} of {len(pages)} is not numbered' for i, page in enumerate(pages, 1) if not re.search(rf'\b{i} / {len(pages)}\b', page)]
    wrong += [f'{name}: page {i} holds {len(page.split())} words' for i, page in enumerate(pages[:-1], 1) if len(page.split()) < 25]
    return wrong


def main():
    program, source = sys.argv[1], sys.argv[2]
    wrong = []
    with flowdb.scratch() as folder:
        made = reports(program, source, folder)
        for name, path in made.items():
            wrong += check_text(name, path)
        if browser.Browser.there():
            with browser.Browser(folder) as b:
                for name, path in made.items():
                    wrong += check_looks(b, name, path)
                    wrong += check_paper(b, name, path, folder)
        else:
            print('no chromium here: only the text was looked at')
    print(f'{len(made)} reports, {len(wrong)} things wrong')
    for each in wrong[:30]:
        print(each)
    return 1 if wrong else 0


sys.exit(main())
