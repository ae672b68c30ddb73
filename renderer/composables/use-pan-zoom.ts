/**
 * The view of a map: dragged by its background (or the middle button), scrolled by the wheel, zoomed at the
 * pointer by Ctrl+wheel or a pinch. `scale` is screen pixels per map unit; `x`, `y` the screen place of its origin.
 */
import { reactive, type Ref } from 'vue';
import type { Position } from '../../main/api/model.ts';

const minScale = 0.05;
const maxScale = 3;
/** Space around the map when it is fitted, in pixels. */
const fitMargin = 36;
const maxFitScale = 1.15;
/** Pixels that the pointer may move in a click. */
const clickSlack = 3;

export interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export function usePanZoom(surface: Readonly<Ref<Element | null>>) {
  const view = reactive({ x: 0, y: 0, scale: 1 });
  let dragged = false;

  const size = (): { width: number; height: number } =>
    surface.value?.getBoundingClientRect() ?? { width: 0, height: 0 };

  function zoomAt(factor: number, at: Position): void {
    const scale = Math.min(maxScale, Math.max(minScale, view.scale * factor));
    const ratio = scale / view.scale;
    view.x = at.x - (at.x - view.x) * ratio;
    view.y = at.y - (at.y - view.y) * ratio;
    view.scale = scale;
  }

  function zoom(factor: number): void {
    const { width, height } = size();
    zoomAt(factor, { x: width / 2, y: height / 2 });
  }

  function fit(bounds: Bounds): void {
    const { width, height } = size();
    if (width === 0 || bounds.width === 0) return;
    const room = { width: width - 2 * fitMargin, height: height - 2 * fitMargin };
    const scale = Math.min(maxFitScale, room.width / bounds.width, room.height / bounds.height);
    view.scale = Math.max(minScale, scale);
    view.x = width / 2 - (bounds.left + bounds.width / 2) * view.scale;
    view.y = height / 2 - (bounds.top + bounds.height / 2) * view.scale;
  }

  /** Pans just so far that the place is in view with some room around it. */
  function reveal(place: Position, room: { readonly width: number; readonly height: number }): void {
    const { width, height } = size();
    const shift = (screen: number, extent: number, limit: number): number => {
      const half = Math.min(extent, limit) / 2;
      return Math.max(half - screen, 0) + Math.min(limit - half - screen, 0);
    };
    view.x += shift(place.x * view.scale + view.x, room.width * view.scale + 24, width);
    view.y += shift(place.y * view.scale + view.y, room.height * view.scale + 24, height);
  }

  function onWheel(event: WheelEvent): void {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.ctrlKey || event.metaKey) {
      const rect = surface.value?.getBoundingClientRect();
      const at = { x: event.clientX - (rect?.left ?? 0), y: event.clientY - (rect?.top ?? 0) };
      zoomAt(Math.exp(-event.deltaY * unit * 0.002), at);
      return;
    }
    view.x -= (event.shiftKey ? event.deltaY : event.deltaX) * unit;
    view.y -= (event.shiftKey ? 0 : event.deltaY) * unit;
  }

  function onPointerdown(event: PointerEvent): void {
    const target = event.currentTarget;
    if (event.button > 1 || !(target instanceof Element)) return;
    dragged = false;
    const start = { x: event.clientX - view.x, y: event.clientY - view.y };
    const move = (moved: Event): void => {
      if (!(moved instanceof PointerEvent)) return;
      dragged ||= Math.hypot(moved.clientX - event.clientX, moved.clientY - event.clientY) > clickSlack;
      view.x = moved.clientX - start.x;
      view.y = moved.clientY - start.y;
    };
    target.setPointerCapture(event.pointerId);
    target.addEventListener('pointermove', move);
    target.addEventListener('lostpointercapture', () => target.removeEventListener('pointermove', move), {
      once: true,
    });
  }

  /** Whether the last press moved the view: then the click that ends it means nothing. */
  const wasDragged = (): boolean => dragged;

  return { view, zoom, fit, reveal, wasDragged, onWheel, onPointerdown };
}
