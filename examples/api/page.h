// The page of this example. With #test behind its address it tries everything, and its title says
// whether that has worked.
#pragma once

inline constexpr char kPage[] = R"html(<!doctype html>
<meta charset="utf-8">
<title>things</title>
<style>body { font: 16px sans-serif; max-width: 40em; margin: 2em auto }</style>
<h1>Things</h1>
<form id="add"><input id="name" placeholder="a thing" required> <button>add</button></form>
<ul id="things"></ul>
<h2>Say something to all who look</h2>
<form id="say"><input id="words" required> <button>say</button></form>
<ol id="said"></ol>
<h2>Leave a file</h2>
<form id="leave"><input id="file" name="file" type="file" required> <button>leave</button></form>
<p id="left"></p>
<script>
const $ = id => document.getElementById(id);
const show = (id, text) => {
  let item = document.getElementById('thing-' + id);
  if (text === null) return item && item.remove();
  if (!item) {
    item = $('things').appendChild(document.createElement('li'));
    item.id = 'thing-' + id;
    item.onclick = () => fetch('/things/' + id, {method: 'DELETE'});
    item.title = 'click to remove';
  }
  item.textContent = text;
};
const add = name => fetch('/things', {method: 'POST', body: JSON.stringify({name})});
const leave = form => fetch('/files', {method: 'POST', body: form}).then(answer => answer.json());

// What happens, as it happens. The browser connects again by itself, and says what it has seen.
const events = new EventSource('/events');
events.addEventListener('put', event => {
  const thing = JSON.parse(event.data);
  show(thing.id, thing.name);
});
events.addEventListener('delete', event => show(JSON.parse(event.data).id, null));

const socket = new WebSocket('ws' + location.href.substr(4).split('#')[0] + 'talk');
socket.onmessage = event => {
  $('said').appendChild(document.createElement('li')).textContent = event.data;
};

$('add').onsubmit = event => { event.preventDefault(); add($('name').value); };
$('say').onsubmit = event => { event.preventDefault(); socket.send($('words').value); };
$('leave').onsubmit = async event => {
  event.preventDefault();
  const left = await leave(new FormData($('leave')));
  $('left').innerHTML = '<a></a>';
  $('left').firstChild.href = left.url;
  $('left').firstChild.textContent = left.url + ', ' + left.bytes + ' bytes';
};

// The test.
const until = async (what, holds) => {
  for (let i = 0; i < 200; ++i) {
    if (holds()) return;
    await new Promise(done => setTimeout(done, 50));
  }
  throw what;
};
const test = async () => {
  const name = 'a <thing> & "more"';
  const made = await (await add(name)).json();
  await until('the event', () => $('thing-' + made.id));
  if ($('thing-' + made.id).textContent !== name) throw 'the name';
  const first = await fetch('/things/' + made.id);
  const tag = first.headers.get('etag');
  const changed = await fetch('/things/' + made.id, {
    method: 'PUT', headers: {'If-Match': '"other"'}, body: JSON.stringify({name: 'x'})});
  if (changed.status !== 412) throw 'the condition';
  const same = await fetch('/things/' + made.id, {
    method: 'PUT', headers: {'If-Match': tag}, body: JSON.stringify({name: 'changed'})});
  if (same.status !== 200) throw 'the change';
  await until('the second event', () => $('thing-' + made.id).textContent === 'changed');
  await fetch('/things/' + made.id, {method: 'DELETE'});
  await until('the third event', () => !$('thing-' + made.id));
  await until('the WebSocket', () => socket.readyState === 1);
  socket.send('hello, all');
  await until('the echo', () => $('said').textContent.includes('hello, all'));
  const form = new FormData();
  form.append('file', new Blob(['x'.repeat(300000)]), 'a file.txt');
  const left = await leave(form);
  const file = await (await fetch(left.url)).text();
  if (file !== 'x'.repeat(300000)) throw 'the file';
  const part = await fetch(left.url, {headers: {Range: 'bytes=0-9'}});
  if (part.status !== 206 || await part.text() !== 'xxxxxxxxxx') throw 'a part of the file';
};
if (location.hash === '#test') {
  test().then(() => 'passed', why => 'failed: ' + why).then(word => {
    document.title = word;
    fetch('/tested', {method: 'POST', body: word});
  });
}
</script>
)html";
