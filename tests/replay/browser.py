# SPDX-License-Identifier: Apache-2.0
"""A headless chromium, driven over a pair of pipes: what a page asks for, what it says, how wide it gets, how it looks on paper."""
import base64
import json
import os
import select
import shutil
import subprocess
import time


class Browser:
    """Use as a context: 'with Browser(folder) as b'.  Nothing but pages on this machine can be reached."""

    def __init__(self, folder):
        self.folder, self.n, self.events, self.buffer, self.process = folder, 0, [], b'', None

    @staticmethod
    def there():
        return shutil.which('chromium') is not None

    def __enter__(self):
        their_in, self.out = os.pipe()
        self.into, their_out = os.pipe()

        def hand_over():  # chromium reads commands from 3 and answers on 4
            a, b = os.dup(their_in), os.dup(their_out)
            os.dup2(a, 3)
            os.dup2(b, 4)
        self.process = subprocess.Popen(
            [shutil.which('chromium'), '--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', '--disable-dev-shm-usage', '--hide-scrollbars',
             '--user-data-dir=' + os.path.join(self.folder, 'profile'), 'about:blank'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=hand_over, start_new_session=True)
        os.close(their_in)
        os.close(their_out)
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self.session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Network', 'Log', 'Audits'):
            self.page(domain + '.enable')
        return self

    def __exit__(self, *_):
        try:
            self.call('Browser.close')
        except (OSError, RuntimeError):
            self.process.kill()
        self.process.wait(timeout=30)
        os.close(self.out)
        os.close(self.into)

    def read(self, until):
        while b'\0' not in self.buffer:
            if not select.select([self.into], [], [], max(0, until - time.monotonic()))[0]:
                raise RuntimeError('the browser does not answer')
            more = os.read(self.into, 1 << 20)
            if not more:
                raise RuntimeError('the browser is gone')
            self.buffer += more
        line, self.buffer = self.buffer.split(b'\0', 1)
        return json.loads(line)

    def call(self, method, session=None, **parameters):
        self.n += 1
        message = {'id': self.n, 'method': method, 'params': parameters}
        if session:
            message['sessionId'] = session
        raw = json.dumps(message).encode() + b'\0'
        while raw:
            raw = raw[os.write(self.out, raw):]
        until = time.monotonic() + 120
        while True:
            answer = self.read(until)
            if answer.get('id') == self.n:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]}')
                return answer['result']
            self.events.append(answer)

    def page(self, method, **parameters):
        return self.call(method, self.session, **parameters)

    def value(self, expression):
        return self.page('Runtime.evaluate', expression=expression, returnByValue=True)['result'].get('value')

    def open(self, path, width=1400, height=1000, dark=False, scripts=True):
        """Loads a file; returns (what it asked for beside itself, what the console says)."""
        self.events = []
        self.page('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.page('Emulation.setEmulatedMedia', media='', features=[{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])
        self.page('Emulation.setScriptExecutionDisabled', value=not scripts)
        self.page('Page.navigate', url='file://' + path)
        until = time.monotonic() + 60
        while not any(e['method'] == 'Page.loadEventFired' for e in self.events):
            self.events.append(self.read(until))
        asked = [e['params']['request']['url'] for e in self.events if e['method'] == 'Network.requestWillBeSent']
        said = [e['params'] for e in self.events if e['method'] in ('Runtime.consoleAPICalled', 'Runtime.exceptionThrown', 'Log.entryAdded', 'Audits.issueAdded',
                                                                    'Page.javascriptDialogOpening')]
        return [url for url in asked if url != 'file://' + path], said

    def picture(self, path, top=0, height=None):
        """The page, or a part of it, as PNG."""
        size = self.page('Page.getLayoutMetrics')['cssContentSize']
        data = self.page('Page.captureScreenshot', format='png', captureBeyondViewport=True,
                         clip={'x': 0, 'y': top, 'width': size['width'], 'height': min(height or size['height'], size['height'] - top), 'scale': 1})['data']
        with open(path, 'wb') as out:
            out.write(base64.b64decode(data))

    def pdf(self, path):
        data = self.page('Page.printToPDF', preferCSSPageSize=True, printBackground=True, displayHeaderFooter=False)['data']
        with open(path, 'wb') as out:
            out.write(base64.b64decode(data))
