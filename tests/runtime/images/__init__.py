"""Tests of images on this machine: content, layers, names, and their ways in and out."""
