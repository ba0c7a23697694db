#!/usr/bin/env node
console.log('tillbox');
