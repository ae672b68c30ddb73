/** Starts the window: finds the way to the host, sets up the stores, mounts the application. */
import { createPinia } from 'pinia';
import { createApp } from 'vue';
import App from './App.vue';
import { electronTransport } from './api/electron-transport.ts';
import { createSession } from './api/session.ts';
import { connectSocket } from './api/socket-transport.ts';
import { useConnectionStore } from './stores/connection.ts';
import './styles/tokens.css';
import './styles/base.css';

const exposed = window.stackscopeTransport;
const connect = exposed === undefined ? connectSocket : () => Promise.resolve(electronTransport(exposed));

const app = createApp(App);
app.use(createPinia());
useConnectionStore().use(createSession(connect));
app.mount('#app');
