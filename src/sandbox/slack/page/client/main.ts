// Starts the page.
import { h, render } from 'preact'

const root = document.getElementById('page')
if (root) render(h('p', null, 'Sandbox workspace'), root)
